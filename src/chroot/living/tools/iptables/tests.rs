//! The same commands here and to the real iptables, in a network of its own.

use std::{
    fmt::Write as _,
    fs,
    process::{Command, Stdio},
};

use super::{
    super::super::{
        call::{Answer, Call, quoted, tests::call},
        firewall::settle::settle,
        machine::Machine,
        record::How,
    },
    *,
};

/// A line as a shell has it, by the name of another program of the family.
fn typed(program: &str, line: &str) -> Call {
    let line = line.replacen("iptables", program, 1);
    let (name, words) = line.split_once(' ').unwrap_or((&line, ""));
    let mut call = call(name);
    let mut quote = false;
    let mut words: Vec<String> = words
        .split(|letter: char| {
            quote ^= letter == '\'';
            letter == ' ' && !quote
        })
        .map(|word| word.replace('\'', ""))
        .collect();
    words.retain(|word| !word.is_empty());
    call.args = words;
    call
}

fn answered(call: &Call, machine: &mut Machine) -> (u8, String, String) {
    let name = call.name();
    let tool = TOOLS.iter().find(|(known, _)| *known == name).unwrap().1;
    match tool(call, machine) {
        Answer::Said { code, out, err } => (
            code,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        ),
        other => panic!("{}: {other:?}", call.line()),
    }
}

/// An image with the names that the real one finds.
fn machine(root: &std::path::Path) -> Machine {
    fs::create_dir_all(root.join("etc")).unwrap();
    for file in ["services", "protocols", "passwd", "group"] {
        let from = format!("/etc/{file}");
        let text = fs::read(from).unwrap_or_default();
        fs::write(root.join("etc").join(file), text).unwrap();
    }
    Machine::new(root, true)
}

/// What the real one does with all of these, one after another: exit code, output, errors.
fn real(lines: &[Call]) -> Vec<(u8, String, String)> {
    let mut script = String::new();
    for line in lines {
        let (program, line) = (line.program.display(), line.line());
        let words = line.split_once(' ').map_or("", |(_, words)| words);
        writeln!(
            script,
            "{program} {words} >out 2>err; echo $? >code; tr '\\0' ' ' <out; printf '\\0'; cat err; printf '\\0'; cat code; printf '\\0'"
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    let parts: Vec<&str> = text.split('\0').collect();
    let runs = parts.chunks_exact(3);
    runs.map(|run| {
        let code = run[2].trim().parse().unwrap();
        (code, run[0].to_owned(), run[1].to_owned())
    })
    .collect()
}

/// Without the times that only the real one writes.
fn plain(saved: &str) -> String {
    let lines = saved.lines().filter(|line| !line.starts_with('#'));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    // The older one has the tables in another order.
    let mut tables: Vec<&str> = text.split("COMMIT\n").collect();
    tables.sort_unstable();
    tables.join("COMMIT\n")
}

const BOTH: &[&str] = &[
    "iptables -S",
    "iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
    "iptables -C INPUT -j ACCEPT -m tcp -p tcp --destination-port ssh",
    "iptables -C INPUT -p tcp --dport 23 -j ACCEPT",
    "iptables -A INPUT -m conntrack --ctstate related,ESTABLISHED -j ACCEPT",
    "iptables -A INPUT -m state --state NEW -p udp -m multiport --dports 53,1000:2000 -j ACCEPT",
    "iptables -A INPUT -i lo -j ACCEPT -m comment --comment 'it is \"lo\"'",
    "iptables -A INPUT ! -i eth0 -p tcp --syn -m limit --limit 25/minute --limit-burst 100 -j LOG --log-prefix 'in: ' --log-level info",
    "iptables -A INPUT -p tcp --tcp-flags ALL NONE -j DROP",
    "iptables -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP",
    "iptables -A INPUT -m recent --name ssh --update --seconds 60 --hitcount 4 -j DROP",
    "iptables -A INPUT -m mac --mac-source aa:bb:cc:0:1:2 -m mark --mark 1/0xff -j RETURN",
    "iptables -A INPUT -m connlimit --connlimit-above 10 -p tcp --dport 80 -j REJECT --reject-with tcp-reset",
    "iptables -A INPUT -m hashlimit --hashlimit-upto 3/min --hashlimit-mode srcip --hashlimit-name ssh -j ACCEPT",
    "iptables -A OUTPUT -m owner --uid-owner root -j ACCEPT",
    "iptables -A INPUT -m owner --uid-owner root -j ACCEPT",
    "iptables -A INPUT -j MASQUERADE",
    "iptables -N mine",
    "iptables -N mine",
    "iptables -N also",
    "iptables -A mine -j RETURN",
    "iptables -I mine -p udp --sport 67:68 -j ACCEPT",
    "iptables -I mine 9 -j DROP",
    "iptables -R mine 1 -p udp --sport 67 -j ACCEPT",
    "iptables -R mine 9 -j ACCEPT",
    "iptables -A FORWARD -g mine",
    "iptables -A FORWARD -i eth+ -o wlan0 -j mine",
    "iptables -X mine",
    "iptables -E also other",
    "iptables -S other",
    "iptables -P INPUT DROP",
    "iptables -P mine DROP",
    "iptables -P INPUT FOO",
    "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
    "iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-port 8080",
    "iptables -t nat -P PREROUTING DROP",
    "iptables -t mangle -A PREROUTING -j MARK --set-mark 0x10",
    "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
    "iptables -t raw -A PREROUTING -p udp --dport 53 -j NOTRACK",
    "iptables -t nosuch -S",
    "iptables -S",
    "iptables -S INPUT",
    "iptables -S INPUT 2",
    "iptables -t nat -S",
    "iptables -t mangle -S",
    "iptables -vS mine",
    "iptables -L mine -n",
    "iptables -L FORWARD -nv --line-numbers",
    "iptables -L mine",
    "iptables -L nosuch",
    "iptables-save -t nat",
    "iptables-save",
    "iptables -D INPUT -p tcp --dport 22 -j ACCEPT",
    "iptables -D INPUT -p tcp --dport 22 -j ACCEPT",
    "iptables -D INPUT 1",
    "iptables -D INPUT 99",
    "iptables -D INPUT 0",
    "iptables -A nosuch -j ACCEPT",
    "iptables -A INPUT --nosuch",
    "iptables -A INPUT -m nosuch",
    "iptables -A INPUT -p tcp --dport",
    "iptables -A INPUT -p tcp --dport nosuch",
    "iptables -A INPUT --dport 22 -j ACCEPT",
    "iptables -A INPUT -p nosuch",
    "iptables -A INPUT -o eth0 -j ACCEPT",
    "iptables -A INPUT -j",
    "iptables -A INPUT word",
    "iptables -A INPUT ! ! -i lo",
    "iptables -A INPUT -m conntrack --ctstate FOO",
    "iptables -A INPUT -m limit --limit 5/fortnight",
    "iptables -A INPUT -j REJECT --reject-with nothing",
    "iptables -A INPUT -p tcp -p udp",
    "iptables -A INPUT -P INPUT DROP",
    "iptables -L -p tcp",
    "iptables -N ACCEPT",
    "iptables -N -x",
    "iptables -N a-name-that-is-much-too-long-for-it",
    "iptables",
    "iptables -F mine",
    "iptables -F nosuch",
    "iptables -Z",
    "iptables -F",
    "iptables -X",
    "iptables -S",
];

const V4: &[&str] = &[
    "iptables -A INPUT -m addrtype --dst-type BROADCAST -j DROP",
    "iptables -A INPUT -s 10.1.2.3/8,192.168.1.7 -d 10.0.0.1 -j ACCEPT",
    "iptables -A INPUT ! -s 10.0.0.0/255.255.0.0 -p icmp --icmp-type echo-request -j REJECT",
    "iptables -A INPUT -p icmp --icmp-type any -f -j DROP",
    "iptables -A INPUT -p 2 -m iprange --src-range 10.0.0.1-10.0.0.9 -j DROP",
    "iptables -A INPUT -s 10.0.0.0/33",
    "iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 10.0.0.2:8080",
    "iptables -t nat -A PREROUTING -j DNAT --to-destination 10.0.0.2:8080",
    "iptables -t nat -A POSTROUTING -s 10.0.0.0/24 -j SNAT --to-source 1.2.3.4-1.2.3.5 --random",
    "iptables -I INPUT -s 1.1.1.1,2.2.2.2 -j DROP",
    "iptables -S",
    "iptables -L -n",
    "iptables -nvL INPUT",
    "iptables -t nat -nL",
    "iptables-save",
    "iptables -D INPUT -s 2.2.2.2,1.1.1.1 -j DROP",
    "iptables -S",
];

const V6: &[&str] = &[
    "iptables -A INPUT -s 2001:DB8::1/64 -p ipv6-icmp --icmpv6-type echo-request -j ACCEPT",
    "iptables -A INPUT -p icmpv6 -m icmp6 --icmpv6-type 134 -m hl --hl-eq 255 -j ACCEPT",
    "iptables -A INPUT -d ff02::fb -p udp --dport 5353 -j REJECT",
    "iptables -A INPUT -s 10.0.0.1 -j DROP",
    "iptables -A INPUT -f -j DROP",
    "iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination [2001:db8::2]:8080",
    "iptables -S",
    "iptables -L -n",
    "iptables -t nat -S",
    "iptables-save",
];

/// Compares each command; what is said of errors only where `words` are to be the same.
fn compare(program: &str, lines: &[&str], words: bool) {
    let calls: Vec<Call> = lines.iter().map(|line| typed(program, line)).collect();
    let root = tempfile::tempdir().unwrap();
    let mut machine = machine(root.path());
    let mut wrong = String::new();
    let real = real(&calls);
    assert_eq!(real.len(), calls.len());
    for (call, real) in calls.iter().zip(real) {
        let mine = answered(call, &mut machine);
        let same =
            (mine.0, plain(&mine.1)) == (real.0, plain(&real.1)) && (!words || mine.2 == real.2);
        if !same {
            writeln!(wrong, "{}\n  here {mine:?}\n  real {real:?}", call.line()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn commands_do_what_they_do_in_a_kernel() {
    compare("iptables-nft", BOTH, true);
    compare("iptables-nft", V4, true);
    compare("ip6tables-nft", BOTH, true);
    compare("ip6tables-nft", V6, true);
}

#[test]
fn the_older_one_does_the_same() {
    compare("iptables-legacy", V4, false);
}

#[test]
fn what_is_saved_is_restored_in_a_kernel_and_here() {
    let root = tempfile::tempdir().unwrap();
    let mut first = machine(root.path());
    for line in BOTH[..40].iter().chain(V4) {
        answered(&typed("iptables-nft", line), &mut first);
    }
    let save = typed("iptables-nft", "iptables-save");
    let saved = answered(&save, &mut first).1;
    assert!(saved.lines().count() > 40, "{saved}");

    let mut second = machine(root.path());
    let mut restore = typed("iptables-nft", "iptables-restore");
    restore.stdin = Some(saved.clone().into_bytes());
    assert_eq!(
        answered(&restore, &mut second),
        (0, String::new(), String::new())
    );
    assert_eq!(answered(&save, &mut second).1, saved);

    let script = format!(
        "printf %s {} | iptables-nft-restore && iptables-nft-save",
        quoted(&saved)
    );
    let ran = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .output()
        .unwrap();
    assert_eq!(
        plain(&String::from_utf8(ran.stdout).unwrap()),
        plain(&saved)
    );
}

/// What the unit of the first boot adds makes a kernel that has booted what the run had.
#[test]
fn the_first_boot_adds_what_no_boot_loads() {
    let root = tempfile::tempdir().unwrap();
    let run = |lines: &[&str]| {
        let mut machine = machine(root.path());
        for line in lines {
            let (code, _, err) = answered(&typed("iptables-nft", line), &mut machine);
            assert_eq!(code, 0, "{line}: {err}");
        }
        let now = answered(&typed("iptables-nft", "iptables-save"), &mut machine).1;
        settle(&mut machine);
        (now, machine.record.all().to_vec())
    };
    // Of an earlier run, whose unit has not run yet.
    let (_, steps) = run(&[
        "iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
        "iptables -N old",
        "iptables -A INPUT -j old",
        "iptables -P FORWARD DROP",
    ]);
    let units = |steps: &[crate::chroot::living::record::PutOff]| -> Vec<String> {
        let unit = |step: &crate::chroot::living::record::PutOff| match &step.how {
            How::Unit(lines) => lines.clone(),
            other => panic!("{other:?}"),
        };
        steps
            .iter()
            .map(unit)
            .filter(|lines| !lines.is_empty())
            .collect()
    };
    let first = units(&steps);
    assert_eq!(first.len(), 1);
    let place = root.path().join("var/lib/pichroot/first-boot/steps");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("00001"), format!("# x\n{}\n", first[0])).unwrap();

    let (now, steps) = run(&[
        "iptables -C INPUT -p tcp --dport 22 -j ACCEPT",
        "iptables -I INPUT 2 -p tcp --dport 80 -j ACCEPT",
        "iptables -D INPUT -j old",
        "iptables -A FORWARD -j ACCEPT",
        "iptables -P FORWARD ACCEPT",
        "iptables -X old",
        "iptables -t nat -A POSTROUTING -j MASQUERADE",
    ]);
    let second = units(&steps);
    let script = format!("{}{}iptables-nft-save", first[0], second[0])
        .replace("iptables-restore", "iptables-nft-restore");
    let ran = Command::new("unshare")
        .args(["--net", "sh", "-ec", &script])
        .output()
        .unwrap();
    assert_eq!(
        plain(&String::from_utf8(ran.stdout).unwrap()),
        plain(&now),
        "{script}"
    );

    // A run that changes nothing has nothing to add.
    fs::write(place.join("00002"), format!("# x\n{}\n", second[0])).unwrap();
    let (_, steps) = run(&[
        "iptables -C INPUT -p tcp --dport 80 -j ACCEPT",
        "iptables -P FORWARD ACCEPT",
    ]);
    assert!(steps.is_empty(), "{steps:?}");
}

/// Debian's package loads files at boot: that is where rules go.
#[test]
fn rules_are_saved_where_a_package_loads_them() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    for (folder, file) in [
        ("usr/share/netfilter-persistent/plugins.d", "15-ip4tables"),
        ("usr/share/netfilter-persistent/plugins.d", "25-ip6tables"),
        ("etc/iptables", "rules.v4"),
    ] {
        fs::create_dir_all(at(folder)).unwrap();
        fs::write(at(folder).join(file), "").unwrap();
    }
    let units = at("usr/lib/systemd/system");
    fs::create_dir_all(units.join("multi-user.target.wants")).unwrap();
    for (name, text) in [
        ("default.target", "[Unit]\nRequires=multi-user.target\n"),
        ("multi-user.target", "[Unit]\n"),
        (
            "netfilter-persistent.service",
            "[Service]\nExecStart=/bin/true\n",
        ),
    ] {
        fs::write(units.join(name), text).unwrap();
    }
    let unit = "../netfilter-persistent.service";
    std::os::unix::fs::symlink(
        unit,
        units.join("multi-user.target.wants/netfilter-persistent.service"),
    )
    .unwrap();
    let run = |line: &str| {
        let mut machine = Machine::new(root.path(), true);
        assert_eq!(answered(&typed("iptables", line), &mut machine).0, 0);
        settle(&mut machine);
        machine.record.all().to_vec()
    };
    // What an earlier run has put off to the unit goes there, too.
    let place = at("var/lib/pichroot/first-boot/steps");
    fs::create_dir_all(&place).unwrap();
    let earlier = "*filter\n:INPUT ACCEPT [0:0]\n:old - [0:0]\n-A INPUT -j old\nCOMMIT";
    let step = format!(
        "# x\niptables-restore --noflush <<'PICHROOT_RULES'\n{earlier}\nPICHROOT_RULES\necho more\n"
    );
    fs::write(place.join("00001"), step).unwrap();
    let noted = run("iptables -A INPUT -p tcp --dport 22 -j ACCEPT");
    assert_eq!(noted[0].how, How::Carried("/etc/iptables/rules.v4".into()));
    assert_eq!(
        fs::read_to_string(place.join("00001")).unwrap(),
        "# x\necho more\n"
    );
    let saved = fs::read_to_string(at("etc/iptables/rules.v4")).unwrap();
    assert!(
        saved.contains("-A INPUT -j old\n-A INPUT -p tcp"),
        "{saved}"
    );
    let saved = fs::read_to_string(at("etc/iptables/rules.v4")).unwrap();
    assert!(
        saved.contains("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"),
        "{saved}"
    );
    assert!(!at("etc/iptables/rules.v6").exists());
    // Loaded by the next run as by the next boot.
    assert_eq!(run("iptables -C INPUT -p tcp --dport 22 -j ACCEPT"), []);
    run("iptables -D INPUT -j old");
    let noted = run("iptables -D INPUT 1");
    assert_eq!(noted[0].how, How::Carried("/etc/iptables/rules.v4".into()));
    let saved = fs::read_to_string(at("etc/iptables/rules.v4")).unwrap();
    assert!(!saved.contains("-A "), "{saved}");

    // Its unit loads the file's tables again, and no others.
    let mut machine = Machine::new(root.path(), true);
    for line in [
        "iptables -A INPUT -j DROP",
        "iptables -t nat -A POSTROUTING -j MASQUERADE",
    ] {
        assert_eq!(answered(&typed("iptables", line), &mut machine).0, 0);
    }
    machine
        .firewall
        .started("netfilter-persistent.service", root.path());
    let listed = answered(&typed("iptables", "iptables-save"), &mut machine).1;
    assert!(
        !listed.contains("-A INPUT") && listed.contains("-A POSTROUTING"),
        "{listed}"
    );
}
