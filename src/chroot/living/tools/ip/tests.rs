use super::{super::super::call::tests::call, *};

fn run(machine: &mut Machine, line: &str) -> (u8, String) {
    match ip(&call(line), machine) {
        Answer::Said { code, out, err } => (code, String::from_utf8([out, err].concat()).unwrap()),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn changes_are_put_off_and_shown() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(root.path(), true);
    let mut run = |line: &str| run(&mut machine, line);
    assert_eq!(
        run("ip link show br0"),
        (1, "Device \"br0\" does not exist.\n".into())
    );
    assert_eq!(run("ip link add name br0 type bridge").0, 0);
    assert_eq!(
        run("ip link add br0 type bridge"),
        (2, "RTNETLINK answers: File exists\n".into())
    );
    assert_eq!(run("ip link set br0 up").0, 0);
    assert_eq!(run("ip addr add 10.0.0.1/24 dev br0").0, 0);
    assert_eq!(run("ip a add 10.0.0.1/24 dev br0").0, 2);
    let shown = run("ip -4 -o addr show dev br0").1;
    assert!(
        shown.starts_with("2: br0    inet 10.0.0.1/24 scope global br0"),
        "{shown}"
    );
    assert_eq!(run("ip r add default via 10.0.0.254").0, 0);
    assert_eq!(run("ip route").1, "default via 10.0.0.254 \n");
    assert!(run("ip -br link").1.starts_with("lo               UNKNOWN"));
    let steps: Vec<_> = machine
        .record
        .all()
        .iter()
        .map(|step| step.what.clone())
        .collect();
    assert_eq!(
        steps,
        [
            "ip link add name br0 type bridge",
            "ip link set br0 up",
            "ip addr add 10.0.0.1/24 dev br0",
            "ip r add default via 10.0.0.254"
        ]
    );
}

#[test]
fn without_a_first_boot_changes_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(root.path(), false);
    let (code, said) = run(&mut machine, "ip link add br0 type bridge");
    assert!(code == 1 && said.contains("hint: "), "{said}");
    assert_eq!(run(&mut machine, "ip link show br0").0, 1);
}
