use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;
use crate::chroot::living::{call::tests::call, outstanding, record::How};

/// A small image with systemd.
pub struct Image {
    dir: tempfile::TempDir,
    pub machine: Machine,
}

impl Image {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), true);
        let image = Image { dir, machine };
        image.write("usr/lib/systemd/systemd", "");
        image.link("sbin/init", "../usr/lib/systemd/systemd");
        image.unit(
            "graphical.target",
            "[Unit]\nRequires=multi-user.target\nAllowIsolate=yes",
        );
        image.link("usr/lib/systemd/system/default.target", "graphical.target");
        image.unit(
            "multi-user.target",
            "[Unit]\nRequires=basic.target\nAllowIsolate=yes",
        );
        image.unit(
            "basic.target",
            "[Unit]\nRequires=sysinit.target\nWants=timers.target sockets.target",
        );
        for target in ["sysinit.target", "timers.target", "sockets.target"] {
            image.unit(target, "[Unit]\nDescription=A target");
        }
        image.unit(
            "ssh.service",
            "[Unit]\nDescription=A server\nDocumentation=man:sshd(8)\nConditionPathExists=!/etc/no-ssh\n[Service]\n\
             Type=notify\nExecStart=/usr/sbin/sshd -D $OPTIONS\nExecReload=/bin/kill -HUP $MAINPID\n\
             RuntimeDirectory=sshd\nTimeoutStopSec=10\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service",
        );
        image.link(
            "etc/systemd/system/sshd.service",
            "/usr/lib/systemd/system/ssh.service",
        );
        image.enable("ssh.service");
        image.unit("app.service", "[Unit]\nRequires=db.service\n[Service]\nExecStart=/app\n[Install]\nWantedBy=multi-user.target");
        image.unit("db.service", "[Service]\nExecStart=/db");
        image.unit("job.service", "[Service]\nType=oneshot\nExecStart=/job");
        image.unit(
            "job.timer",
            "[Timer]\nOnBootSec=1min\n[Install]\nWantedBy=timers.target",
        );
        image.unit("many@.service", "[Service]\nExecStart=/many %i");
        image.unit("bad.service", "[Service]\nRestart=always");
        image.link("etc/systemd/system/masked.service", "/dev/null");
        image
    }

    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn link(&self, path: &str, to: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
    }

    fn unit(&self, name: &str, text: &str) {
        self.write(
            &format!("usr/lib/systemd/system/{name}"),
            &format!("{text}\n"),
        );
    }

    fn enable(&self, name: &str) {
        let link = format!("etc/systemd/system/multi-user.target.wants/{name}");
        self.link(&link, &format!("/usr/lib/systemd/system/{name}"));
    }

    /// Exit code, output and errors.
    pub fn run(&mut self, line: &str) -> (u8, String, String) {
        let call = call(&format!("systemctl {line}"));
        match systemctl(&call, &mut self.machine) {
            Answer::Said { code, out, err } => (
                code,
                String::from_utf8(out).unwrap(),
                String::from_utf8(err).unwrap(),
            ),
            other => panic!("{line}: {other:?}"),
        }
    }

    /// The same, with the two outputs together.
    fn said(&mut self, line: &str) -> (u8, String) {
        let (code, out, err) = self.run(line);
        (code, out + &err)
    }

    fn is_active(&mut self, name: &str) -> bool {
        self.run(&format!("is-active {name}")).0 == 0
    }

    /// What is outstanding, as people type it, and how.
    fn outstanding(&mut self) -> Vec<(String, How)> {
        let record = outstanding::take(&mut self.machine);
        let all = record.all().iter();
        all.map(|put_off| (put_off.what.clone(), put_off.how.clone()))
            .collect()
    }
}

fn step(line: &str) -> How {
    How::Unit(line.into())
}

#[test]
fn what_boot_starts_is_active_and_a_second_start_does_nothing() {
    let mut image = Image::new();
    for (name, active) in [
        ("ssh", true),
        ("sshd", true),
        ("app", false),
        ("job", false),
        ("nosuch", false),
    ] {
        assert_eq!(image.is_active(name), active, "{name}");
    }
    assert_eq!(
        image.said("is-active ssh app"),
        (0, "active\ninactive\n".into())
    );
    assert_eq!(image.said("start ssh"), (0, String::new()));
    assert_eq!(image.outstanding(), []);
    assert_eq!(image.said("start app"), (0, String::new()));
    assert!(image.is_active("app") && image.is_active("db"));
    image.run("start app");
    assert_eq!(
        image.outstanding(),
        [(
            "systemctl start app.service".into(),
            step("systemctl start app.service")
        )]
    );
}

#[test]
fn restart_always_is_a_change_and_reload_only_where_it_can_be() {
    let mut image = Image::new();
    image.run("restart ssh");
    image.run("reload sshd");
    image.run("restart job");
    image.run("try-restart app");
    image.run("start db");
    image.run("restart db");
    let refused =
        "Failed to reload db.service: Job type reload is not applicable for unit db.service.\n";
    assert_eq!(image.said("reload db"), (3, refused.into()));
    let found = image.outstanding();
    let wanted = [
        ("restart ssh", How::ByBoot),
        ("reload ssh", How::ByBoot),
        ("restart job", step("systemctl start job.service")),
        ("start db", step("systemctl start db.service")),
        ("restart db", step("systemctl start db.service")),
    ];
    let wanted = wanted.map(|(words, how)| (format!("systemctl {words}.service"), how));
    assert_eq!(found, wanted);
}

#[test]
fn the_end_of_the_run_tells_how_a_unit_is_started() {
    let mut image = Image::new();
    image.run("start app");
    // As a later task does.
    image.enable("app.service");
    image.run("stop ssh");
    image.run("start ssh");
    image.run("stop sshd");
    image.run("daemon-reload");
    assert!(!image.is_active("ssh"));
    let found = image.outstanding();
    let hows: Vec<&How> = found.iter().map(|(_, how)| how).collect();
    let stop = step("systemctl stop ssh.service");
    assert_eq!(
        hows,
        [
            &How::ByBoot,
            &How::ByBoot,
            &How::ByBoot,
            &stop,
            &How::ByBoot
        ]
    );
}

#[test]
fn what_cannot_be_started_fails_as_on_a_running_machine() {
    let mut image = Image::new();
    let see = |name: &str| format!("See system logs and 'systemctl status {name}' for details.\n");
    for (line, code, text) in [
        ("start nosuch", 5, "Failed to start nosuch.service: Unit nosuch.service not found.\n".into()),
        ("start nosuch ssh", 5, "Failed to start nosuch.service: Unit nosuch.service not found.\n".into()),
        ("stop nosuch", 5, "Failed to stop nosuch.service: Unit nosuch.service not loaded.\n".into()),
        ("restart masked", 1, "Failed to restart masked.service: Unit masked.service is masked.\n".into()),
        ("stop masked", 0, String::new()),
        (
            "start bad",
            1,
            "Failed to start bad.service: Unit bad.service has a bad unit file setting.\n".to_owned() + &see("bad.service"),
        ),
        (
            "start many@",
            1,
            "Failed to start many@.service: Unit name many@.service is missing the instance name.\n".to_owned()
                + &see("many@.service"),
        ),
        ("start many@a", 0, String::new()),
        ("reload app", 3, "Failed to reload app.service: Job type reload is not applicable for unit app.service.\n".into()),
        (
            "isolate ssh.service",
            4,
            "Failed to start ssh.service: Operation refused, unit may not be isolated.\n".to_owned() + &see("ssh.service"),
        ),
        ("daemon-reload now", 1, "Too many arguments.\n".into()),
        ("start", 1, "Too few arguments.\n".into()),
        ("kill app", 1, "Failed to kill unit app.service: Unit app.service not loaded.\n".into()),
    ] {
        assert_eq!(image.said(line), (code, text), "{line}");
    }
    fs::remove_file(image.path("usr/lib/systemd/system/db.service")).unwrap();
    let missing = "Failed to start app.service: Unit db.service not found.\n";
    assert_eq!(image.said("start app"), (5, missing.into()));
}

#[test]
fn only_root_starts_units_of_the_system() {
    let mut image = Image::new();
    let mut call = call("systemctl restart ssh");
    call.user = 1000;
    let Answer::Said { code: 4, err, .. } = systemctl(&call, &mut image.machine) else {
        panic!();
    };
    assert!(
        String::from_utf8(err)
            .unwrap()
            .starts_with("Failed to restart ssh.service: Access denied\n")
    );
    assert_eq!(image.outstanding(), []);
}

#[test]
fn without_a_unit_for_the_first_boot_only_what_boot_does_is_put_off() {
    let mut image = Image::new();
    image.machine.first_boot = false;
    assert_eq!(image.said("restart ssh").0, 0);
    for line in ["start app", "stop ssh", "isolate multi-user.target"] {
        let (code, text) = image.said(line);
        assert!(code == 1 && text.contains("hint: "), "{line}: {text}");
    }
    assert!(image.is_active("ssh") && !image.is_active("app"));
}

#[test]
fn conditions_keep_a_unit_from_running() {
    let mut image = Image::new();
    image.write("etc/no-ssh", "");
    assert!(!image.is_active("ssh"));
    assert_eq!(image.said("start ssh"), (0, String::new()));
    assert!(!image.is_active("ssh"));
}

#[test]
fn show_tells_what_modules_ask() {
    let mut image = Image::new();
    let (code, out, _) = image.run("show sshd");
    assert_eq!(code, 0);
    for line in [
        "Id=ssh.service",
        "Names=ssh.service sshd.service",
        "LoadState=loaded",
        "ActiveState=active",
        "SubState=running",
        "UnitFileState=enabled",
        "FragmentPath=/usr/lib/systemd/system/ssh.service",
        "Description=A server",
        "CanReload=yes",
        "WantedBy=multi-user.target",
        "TimeoutStopUSec=10s",
        "LimitNOFILE=524288",
        "Type=notify",
        "MainPID=0",
        "ExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $OPTIONS ; ignore_errors=no ; start_time=[n/a] ; \
         stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }",
    ] {
        assert!(out.lines().any(|l| l == line), "{line} in {out}");
    }
    let once = |key: &str| {
        out.lines()
            .filter(|line| line.starts_with(&format!("{key}=")))
            .count()
    };
    assert!(
        ["Type", "RemainAfterExit", "TimeoutStopUSec", "Slice"]
            .into_iter()
            .all(|key| once(key) == 1),
        "{out}"
    );
    assert!(!out.contains("LoadError"), "{out}");
    assert_eq!(image.run("show app -p ActiveState --value").1, "inactive\n");
    assert_eq!(
        image.run("show app -p SourcePath,Nonsense").1,
        "SourcePath=\n"
    );
    assert_eq!(
        image.run("show -p Id app db").1,
        "Id=app.service\n\nId=db.service\n"
    );
    let missing = image.run("show nosuch -p LoadState,ActiveState");
    assert_eq!(missing.1, "LoadState=not-found\nActiveState=inactive\n");
    assert_eq!(
        image.run("show masked -p LoadState").1,
        "LoadState=masked\n"
    );
    assert_eq!(image.run("show -p SystemState").1, "SystemState=running\n");
    assert_eq!(
        image.run("show job.timer -p Triggers").1,
        "Triggers=job.service\n"
    );
}

#[test]
fn lists_have_what_boot_starts_and_the_rest_with_all() {
    let mut image = Image::new();
    image.run("start job.timer many@b");
    let (_, out, _) = image.run("list-units --no-pager --type service --all --plain");
    let line = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name));
        line.map(|line| line.split_whitespace().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    assert_eq!(
        line("ssh.service"),
        ["ssh.service", "loaded", "active", "running", "A", "server"]
    );
    assert_eq!(
        line("job.service")[..4],
        ["job.service", "loaded", "inactive", "dead"]
    );
    assert_eq!(line("many@b.service")[2], "active");
    assert!(
        out.starts_with("UNIT ") && out.contains("\nLOAD   = Reflects"),
        "{out}"
    );
    let (_, out, _) = image.run("list-units --no-legend --type=timer");
    assert_eq!(out, "  job.timer loaded active waiting job.timer\n");
    let (_, out, _) = image.run("list-units ssh -o json");
    let wanted = r#"[{"active":"active","description":"A server","load":"loaded","sub":"running","unit":"ssh.service"}]"#;
    assert_eq!(out, format!("{wanted}\n"));
    assert!(
        image
            .run("list-timers")
            .1
            .contains("- - - - job.timer job.service")
            || image.run("list-timers").1.contains("job.timer job.service")
    );
    assert_eq!(image.run("list-jobs").1, "No jobs running.\n");
    assert_eq!(image.run("is-system-running").1, "running\n");
}

#[test]
fn status_says_what_roles_look_for() {
    let mut image = Image::new();
    let (code, out, _) = image.run("status ssh");
    assert_eq!(code, 0);
    assert!(out.starts_with("● ssh.service - A server\n     Loaded: loaded (/usr/lib/systemd/system/ssh.service; enabled; preset: enabled)\n     Active: active (running) since "), "{out}");
    assert!(out.ends_with("       Docs: man:sshd(8)\n"), "{out}");
    let (code, out, _) = image.run("status app");
    assert_eq!(code, 3);
    assert!(out.ends_with("     Active: inactive (dead)\n"), "{out}");
    assert_eq!(
        image.said("status nosuch"),
        (4, "Unit nosuch.service could not be found.\n".into())
    );
}

#[test]
fn an_init_script_is_a_service_too() {
    let mut image = Image::new();
    image.write(
        "etc/init.d/old",
        "#!/bin/sh\n### BEGIN INIT INFO\n# Short-Description: Old one\n### END INIT INFO\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(image.path("etc/init.d/old"), mode).unwrap();
    assert!(!image.is_active("old"));
    image.link("etc/rc2.d/S01old", "../init.d/old");
    assert!(image.is_active("old"));
    let (_, out, _) = image.run("show old -p Description,SubState,UnitFileState,SourcePath");
    let wanted = "Description=LSB: Old one\nSubState=exited\nSourcePath=/etc/init.d/old\nUnitFileState=generated\n";
    assert_eq!(out, wanted);
}

#[test]
fn fstab_has_units_that_a_boot_makes() {
    let mut image = Image::new();
    image.unit("local-fs.target", "[Unit]\nDescription=Disks");
    image.write(
        "usr/lib/systemd/system/sysinit.target",
        "[Unit]\nWants=local-fs.target",
    );
    image.write("etc/fstab", "LABEL=a / ext4 defaults 0 1\n/dev/b /mnt/my-data ext4 nofail 0 0\n/dev/c /srv ext4 noauto 0 0\n");
    assert!(image.is_active("/mnt/my-data") && image.is_active("/") && !image.is_active("/srv"));
    assert_eq!(
        image.run("is-enabled mnt-my\\x2ddata.mount").1,
        "generated\n"
    );
    image.run("start /srv");
    assert_eq!(
        image.outstanding(),
        [(
            "systemctl start srv.mount".into(),
            step("systemctl start srv.mount")
        )]
    );
}

#[test]
fn limits_are_written_where_systemd_keeps_them() {
    let mut image = Image::new();
    assert_eq!(image.said("set-property app CPUWeight=50").0, 0);
    let text = fs::read_to_string(
        image.path("etc/systemd/system.control/app.service.d/50-CPUWeight.conf"),
    );
    assert!(
        text.unwrap()
            .ends_with("Do not edit.\n[Service]\nCPUWeight=50\n")
    );
    assert_eq!(image.said("set-property app ExecStart=/x").0, 1);
    assert!(
        image
            .run("cat app")
            .1
            .contains("\n\n# /etc/systemd/system.control/app.service.d/50-CPUWeight.conf\n")
    );
}

#[test]
fn what_is_edited_comes_from_the_standard_input() {
    let mut image = Image::new();
    image.machine.units.version = Some("systemd 257 (257.8-1)\n+PAM".into());
    let mut edit = call("systemctl edit --stdin --drop-in=more app");
    assert_eq!(systemctl(&edit, &mut image.machine), Answer::NeedsInput);
    edit.stdin = Some(b"[Service]\nNice=5\n".to_vec());
    assert!(matches!(
        systemctl(&edit, &mut image.machine),
        Answer::Said { code: 0, .. }
    ));
    let text = fs::read_to_string(image.path("etc/systemd/system/app.service.d/more.conf"));
    assert_eq!(text.unwrap(), "[Service]\nNice=5\n");
    assert_eq!(image.run("show -P Nice app").1, "5\n");
    let mut unknown = call("systemctl edit --stdin nosuch");
    unknown.stdin = Some(Vec::new());
    assert!(matches!(
        systemctl(&unknown, &mut image.machine),
        Answer::Said { code: 1, .. }
    ));
    // It has no such option.
    image.machine.units.version = Some("systemd 252 (252.39-1)\n+PAM".into());
    assert_eq!(systemctl(&edit, &mut image.machine), Answer::Pass);
}

#[test]
fn a_user_has_units_that_run_if_the_user_lingers() {
    let mut image = Image::new();
    image.write("etc/passwd", "joe:x:1000:100::/home/joe:/bin/sh\n");
    image.write(
        "home/joe/.config/systemd/user/mine.service",
        "[Service]\nExecStart=/mine\n[Install]\nWantedBy=default.target",
    );
    image.write(
        "usr/lib/systemd/user/default.target",
        "[Unit]\nRequires=basic.target",
    );
    image.write("usr/lib/systemd/user/basic.target", "[Unit]");
    let folder = "home/joe/.config/systemd/user/default.target.wants/mine.service";
    image.link(folder, "/home/joe/.config/systemd/user/mine.service");
    let as_joe = |line: &str, image: &mut Image| {
        let mut call = call(&format!("systemctl --user {line}"));
        call.user = 1000;
        systemctl(&call, &mut image.machine)
    };
    assert_eq!(
        as_joe("is-active mine", &mut image),
        Answer::Said {
            code: 3,
            out: b"inactive\n".into(),
            err: Vec::new()
        }
    );
    assert_eq!(as_joe("start mine", &mut image), Answer::ok());
    assert_eq!(
        as_joe("is-active mine", &mut image),
        Answer::out("active\n")
    );
    let record = image.outstanding();
    let lines = "systemctl start user@1000.service && runuser -u joe -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user start mine.service";
    assert_eq!(
        record,
        [("systemctl --user start mine.service".into(), step(lines))]
    );
    image.machine.units.reboot();
    image.write("var/lib/systemd/linger/joe", "");
    assert_eq!(
        as_joe("is-active mine", &mut image),
        Answer::out("active\n")
    );
    assert_eq!(as_joe("restart mine", &mut image), Answer::ok());
    assert_eq!(image.outstanding()[0].1, How::ByBoot);
    assert_eq!(
        image.said("--user -M joe@ is-active mine"),
        (0, "active\n".into())
    );
}

#[test]
fn where_systemd_is_not_init_systemctl_speaks_for_itself() {
    let mut image = Image::new();
    fs::remove_file(image.path("sbin/init")).unwrap();
    image.link("sbin/init", "../usr/sbin/openrc-init");
    assert_eq!(
        systemctl(&call("systemctl start ssh"), &mut image.machine),
        Answer::Pass
    );
    assert_eq!(
        systemctl(&call("systemctl --version"), &mut Image::new().machine),
        Answer::Pass
    );
    assert!(Path::new("/").is_dir());
}
