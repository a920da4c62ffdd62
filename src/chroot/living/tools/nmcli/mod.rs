//! nmcli, without the daemon that it talks to: connections are files of the image.
//!
//! What a connection becomes, the image's own nmcli says, which can write one without the daemon since 1.36.

mod connection;
mod device;
mod edit;
mod style;

use super::super::{
    call::{Answer, Call},
    machine::Machine,
    tool::Tools,
};
use connection::connection;
use device::{device, devices, general, networking, radio};
use edit::edit;
use style::{Style, not_here};

/// What is answered here.
pub const TOOLS: Tools = &[("nmcli", nmcli)];

const CONNECTION: [&str; 14] = [
    "show", "up", "down", "add", "edit", "delete", "reload", "load", "modify", "clone", "import",
    "export", "monitor", "migrate",
];
const DEVICE: [&str; 14] = [
    "status",
    "show",
    "connect",
    "reapply",
    "disconnect",
    "down",
    "delete",
    "set",
    "monitor",
    "wifi",
    "lldp",
    "up",
    "modify",
    "checkpoint",
];

/// The command that a word, which may be cut short, means: the first one that begins so.
fn meant(word: &str, all: &[&'static str]) -> &'static str {
    let begins = |one: &&&str| one.starts_with(word);
    all.iter().find(begins).copied().unwrap_or_default()
}

fn nmcli(call: &Call, machine: &mut Machine) -> Answer {
    let Some((mut style, words)) = options(call) else {
        return Answer::Pass;
    };
    // The files are root's.
    style.secrets &= call.is_root();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let objects = [
        "general",
        "networking",
        "radio",
        "connection",
        "device",
        "agent",
        "monitor",
        "help",
    ];
    let Some((object, words)) = words.split_first() else {
        return devices(&style);
    };
    if !call.is_root() && !matches!(words.first(), None | Some(&("show" | "status" | "s"))) {
        return Answer::fails(8, "Error: not authorized to control networking.\n");
    }
    match meant(object, &objects) {
        "connection" => {
            let (command, words) = match words.split_first() {
                Some((command, words)) => (meant(command, &CONNECTION), words),
                None => ("show", words),
            };
            match command {
                "edit" => edit(call, machine, words),
                command => connection(call, machine, &style, command, words),
            }
        }
        "device" => {
            let (command, words) = match words.split_first() {
                Some((command, words)) => (meant(command, &DEVICE), words),
                None => ("status", words),
            };
            device(call, machine, &style, command, words)
        }
        "general" => general(call, machine, &style, words),
        "networking" => networking(call, machine, words),
        "radio" => radio(machine, &style, words),
        "help" => Answer::Pass,
        "monitor" | "agent" => not_here(call),
        _ => Answer::fails(
            2,
            format!("Error: argument '{object}' not understood. Try passing --help instead.\n"),
        ),
    }
}

/// The options in front, and the words behind them; nothing where the program itself is to answer.
fn options(call: &Call) -> Option<(Style, Vec<String>)> {
    let mut style = Style {
        escape: true,
        ..Style::default()
    };
    let mut words = call.args.iter();
    let list = |word: Option<&String>| {
        let word = word.map(String::as_str).unwrap_or_default();
        Some(word.split(',').map(str::to_owned).collect())
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--offline" | "-off" | "-v" | "--version" | "-h" | "--help" => return None,
            "-t" | "--terse" | "-terse" => style.terse = true,
            "-s" | "--show-secrets" | "-show-secrets" => style.secrets = true,
            "-p" | "--pretty" | "-a" | "--ask" => {}
            "-f" | "--fields" | "-fields" => style.fields = list(words.next()),
            "-g" | "--get-values" | "-get-values" => {
                style.fields = list(words.next());
                (style.terse, style.values) = (true, true);
            }
            "-m" | "--mode" | "-mode" => {
                style.multiline = words.next().map(|mode| mode.starts_with('m'));
            }
            "-e" | "--escape" | "-escape" => {
                style.escape = words.next().is_none_or(|word| word != "no")
            }
            "-c" | "--colors" | "-w" | "--wait" | "-colors" | "-wait" => drop(words.next()),
            word if word.starts_with('-') => return None,
            word => {
                let mut all = vec![word.to_owned()];
                all.extend(words.cloned());
                return Some((style, all));
            }
        }
    }
    Some((style, Vec::new()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::super::{call::tests::call, record::How},
        *,
    };

    const FOLDER: &str = "etc/NetworkManager/system-connections";

    fn run(machine: &mut Machine, line: &str) -> (u8, String) {
        match nmcli(&call(line), machine) {
            Answer::Said { code, out, err } => {
                (code, String::from_utf8([out, err].concat()).unwrap())
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    fn machine(root: &std::path::Path) -> Machine {
        fs::create_dir_all(root.join(FOLDER)).unwrap();
        for (name, more) in [("lan", ""), ("a:b", "autoconnect=false\n")] {
            let text = format!(
                "[connection]\nid={name}\nuuid=1-{name}\ntype=ethernet\n{more}[ipv4]\nmethod=auto\n[802-1x]\npassword=secret\n"
            );
            fs::write(root.join(FOLDER).join(format!("{name}.nmconnection")), text).unwrap();
        }
        Machine::new(root, true)
    }

    #[test]
    fn connections_are_shown_as_people_and_programs_want_them() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = machine(root.path());
        let mut run = |line: &str| run(&mut machine, line);
        assert_eq!(
            run("nmcli -t -f name,uuid,type con show").1,
            "a\\:b:1-a\\:b:802-3-ethernet\nlan:1-lan:802-3-ethernet\n"
        );
        assert_eq!(
            run("nmcli --fields name --terse con show").1,
            "a\\:b\nlan\n"
        );
        let table = run("nmcli c").1;
        assert!(
            table.starts_with("NAME  UUID   TYPE      DEVICE  \na:b   1-a:b  ethernet  --      \n"),
            "{table}"
        );
        assert_eq!(run("nmcli -g ipv4.method con show lan").1, "auto\n");
        assert_eq!(
            run("nmcli -t -f connection.id,ipv4.dns con show id lan").1,
            "connection.id:lan\nipv4.dns:\n"
        );
        let all = run("nmcli con show lan").1;
        assert!(
            all.contains("ipv4.method:                            auto\n"),
            "{all}"
        );
        assert_eq!(
            run("nmcli con show nope"),
            (10, "Error: nope - no such connection profile.\n".into())
        );
        assert_eq!(run("nmcli general hostname"), (0, String::new()));
    }

    #[test]
    fn only_root_sees_passwords_and_changes_anything() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = machine(root.path());
        let mut by_user = |line: &str| {
            let mut call = call(line);
            call.user = 1000;
            nmcli(&call, &mut machine)
        };
        let Answer::Said { code: 0, out, .. } = by_user("nmcli -s con show lan") else {
            panic!();
        };
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains("802-1x.password:                        <hidden>\n")
        );
        for line in [
            "nmcli con delete lan",
            "nmcli device set eth0 managed no",
            "nmcli general hostname x",
        ] {
            assert!(
                matches!(by_user(line), Answer::Said { code: 8, .. }),
                "{line}"
            );
        }
        assert!(
            machine.record.all().is_empty()
                && root.path().join(FOLDER).join("lan.nmconnection").exists()
        );
    }

    #[test]
    fn connections_come_up_by_their_files_or_by_the_unit() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = machine(root.path());
        for line in ["nmcli con up lan", "nmcli con up a:b", "nmcli con reload"] {
            assert_eq!(run(&mut machine, line).0, 0);
        }
        assert_eq!(run(&mut machine, "nmcli con delete lan nope").0, 10);
        assert!(!root.path().join(FOLDER).join("lan.nmconnection").exists());
        let hows: Vec<&How> = machine.record.all().iter().map(|one| &one.how).collect();
        assert_eq!(
            hows,
            [
                &How::Carried(format!("/{FOLDER}/lan.nmconnection")),
                &How::Unit("nmcli con up a:b".into()),
                &How::ByBoot
            ]
        );
    }

    #[test]
    fn radios_are_kept_where_the_daemon_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = machine(root.path());
        assert_eq!(
            run(&mut machine, "nmcli radio wifi"),
            (0, "enabled\n".into())
        );
        assert_eq!(run(&mut machine, "nmcli radio wifi off").0, 0);
        assert_eq!(run(&mut machine, "nmcli r w"), (0, "disabled\n".into()));
        let state = fs::read_to_string(
            root.path()
                .join("var/lib/NetworkManager/NetworkManager.state"),
        )
        .unwrap();
        assert_eq!(
            state,
            "[main]\nNetworkingEnabled=true\nWirelessEnabled=false\nWWANEnabled=true\n"
        );
    }
}
