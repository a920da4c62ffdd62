//! Firewalls and network connections, by the modules and programs that people use for them.

use std::fs;

use crate::{ended::Ended, image::Image, live::Live, scene::Scene};

const STEPS: &str = "/var/lib/pichroot/first-boot/steps";

/// Runs `tasks` after `prepare` on the base image, and again on what comes of it, where they change nothing, with `more`
/// behind them.
fn twice(scene: &Scene, prepare: &str, tasks: &str, more: &str) -> (Ended, Image, Ended) {
    scene.write_play(&format!("{prepare}{tasks}"));
    let first = Live::start(scene.ansible().arg("-v")).end();
    assert_eq!(first.code, Some(0), "{first:?}");
    let again = scene.path("again.img");
    fs::rename(scene.output(), &again).unwrap();
    let same = "- debug: {msg: nothing was changed until here}\n";
    scene.write_play(&format!("{tasks}{same}{more}"));
    let second = Live::start(scene.ansible_on(&again).arg("-v")).end();
    assert_eq!(second.code, Some(0), "{second:?}");
    let (until, _) = second
        .out
        .split_once("nothing was changed until here")
        .unwrap();
    assert!(!until.contains("\nchanged: "), "{second:?}");
    (first, Image::new(&again), second)
}

const RULES: &str = "- iptables: {chain: INPUT, protocol: tcp, destination_port: '22', ctstate: NEW, jump: ACCEPT, comment: it is ssh}
- iptables: {chain: INPUT, ctstate: [ESTABLISHED, RELATED], jump: ACCEPT, action: insert, rule_num: '1'}
- iptables: {chain: INPUT, protocol: udp, destination_ports: ['53', '5000:5010'], jump: ACCEPT}
- iptables: {chain: INPUT, policy: DROP}
- iptables: {chain: mine, chain_management: true}
- iptables: {chain: INPUT, jump: mine, ip_version: ipv4}
- iptables: {table: nat, chain: POSTROUTING, source: 10.0.0.0/8, out_interface: eth0, jump: MASQUERADE}
- iptables: {chain: INPUT, protocol: ipv6-icmp, jump: ACCEPT, ip_version: ipv6}
";

/// Without a package that loads rules at boot, the first boot makes them; with it, they are in its file.
#[test]
#[ignore = "long: make test-all"]
fn rules_of_iptables_are_kept_for_the_machine() {
    const ONCE: &str = "- iptables: {chain: INPUT, protocol: tcp, destination_port: '9', jump: REJECT, state: present}
- iptables: {chain: INPUT, protocol: tcp, destination_port: '9', jump: REJECT, state: absent}
- command: iptables -C INPUT -p tcp --dport 9 -j REJECT
  register: missing
  failed_when: missing.rc != 1
- command: iptables -A INPUT -p tcp --dprot 9 -j REJECT
  register: wrong
  failed_when: wrong.rc != 2 or 'unknown option \"--dprot\"' not in wrong.stderr
";
    let scene = Scene::new();
    let install =
        "- apt: {name: [iptables, nftables], update_cache: true, install_recommends: false}\n";
    let more = "- apt: {name: iptables-persistent, install_recommends: false}\n- command: iptables -A mine -j RETURN\n";
    let (first, made, second) = twice(&scene, &format!("{install}{ONCE}"), RULES, more);
    assert!(
        first
            .err
            .contains("by pichroot-first-boot.service: iptables"),
        "{first:?}"
    );
    let steps = made.list(STEPS);
    let text: String = steps
        .iter()
        .map(|step| made.cat(&format!("{STEPS}/{step}")))
        .collect();
    for line in [
        ":INPUT DROP [0:0]\n",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m comment --comment \"it is ssh\" -j ACCEPT\n",
        "-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE\n",
        "ip6tables-restore --noflush ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("--dport 9 "), "{text}");

    let file = "/etc/iptables/rules.v4";
    let told = format!("by {file} in the image: iptables -A mine -j RETURN");
    assert!(second.err.contains(&told), "{second:?}");
    let saved = Image::new(&scene.output()).cat(file);
    assert!(
        saved.contains("-A mine -j RETURN\n") && saved.contains(":INPUT DROP"),
        "{saved}"
    );
    // The unit has them no more.
    let made = Image::new(&scene.output());
    for step in made.list(STEPS) {
        let text = made.cat(&format!("{STEPS}/{step}"));
        assert!(!text.contains("restore"), "{text}");
    }
    scene.assert_left(&["again.img", "out.img"]);
}

/// ufw is a program of the image, which asks iptables more than a hundred times.
#[test]
#[ignore = "long: make test-all"]
fn ufw_is_set_up_and_on_at_boot() {
    let scene = Scene::new();
    let install = "- apt: {name: ufw, update_cache: true, install_recommends: false}\n";
    let (first, made, _) = twice(
        &scene,
        install,
        "- community.general.ufw: {rule: limit, port: ssh, proto: tcp}
- community.general.ufw: {rule: allow, src: 192.0.2.0/24, port: '9100', proto: tcp, comment: node exporter}
- community.general.ufw: {state: enabled, logging: 'on', direction: incoming, default: deny}
- command: ufw status verbose
  register: status
  changed_when: false
  failed_when: \"'Status: active' not in status.stdout or '9100/tcp' not in status.stdout\"
- command: iptables -S ufw-user-input
  register: rules
  changed_when: false
  failed_when: \"'-A ufw-user-input -s 192.0.2.0/24 -p tcp -m tcp --dport 9100 -j ACCEPT' not in rules.stdout\"
",
        "- community.general.ufw: {state: reset}
- command: iptables -S
  register: rules
  failed_when: \"'--dport' in rules.stdout\"
",
    );
    let told = "by /etc/ufw/ufw.conf in the image: ufw (community.general.ufw, play.yml:7)\n";
    assert!(first.err.contains(told), "{first:?}");
    assert!(
        !first.err.contains("pichroot-first-boot.service"),
        "{first:?}"
    );
    assert!(made.cat("/etc/ufw/ufw.conf").contains("\nENABLED=yes\n"));
    assert!(made.cat("/etc/ufw/user.rules").contains("--dport 9100"));
    assert!(!made.exists("/var/lib/pichroot"));
    assert!(
        Image::new(&scene.output())
            .cat("/etc/ufw/ufw.conf")
            .contains("\nENABLED=no\n")
    );
    scene.assert_left(&["again.img", "out.img"]);
}

/// A file is checked before it takes the other's place, and carried where its unit is enabled.
#[test]
#[ignore = "long: make test-all"]
fn rules_of_nft_are_checked_and_kept() {
    let scene = Scene::new();
    let install = "- apt: {name: [nftables, ipset], update_cache: true, install_recommends: false}
- copy:
    dest: /etc/nftables.conf
    validate: nft -c -f %s
    content: 'table inet f { chain c { tcp dprot 22 accept } }'
  register: wrong
  failed_when: \"wrong is not failed or 'unexpected string' not in wrong.stderr\"
- command: nft add table ip later
- command: nft list table ip later
";
    let (first, made, _) = twice(
        &scene,
        install,
        "- copy:
    dest: /etc/nftables.conf
    validate: nft -c -f %s
    content: |
      #!/usr/sbin/nft -f
      flush ruleset
      define lan = { 10.0.0.0/8, 192.168.0.0/16 }
      table inet filter {
        chain input {
          type filter hook input priority 0; policy drop;
          ct state established,related accept
          ip saddr $lan tcp dport { 22, 80 } accept
        }
      }
  register: file
- command: nft -f /etc/nftables.conf
  when: file.changed
- service: {name: nftables, enabled: true}
- command: nft list chain inet filter input
  register: rules
  changed_when: false
  failed_when: \"'tcp dport { 22, 80 } accept' not in rules.stdout\"
- shell: nft list tables | grep -x 'table ip runtime' || nft add table ip runtime
  register: made
  changed_when: made.stdout == ''
- shell: ipset list -n | grep -x bad || ipset create bad hash:net
  register: made
  changed_when: made.stdout == ''
- command: ipset -exist add bad 198.51.100.0/24
  changed_when: false
",
        "- command: nft flush ruleset\n",
    );
    assert!(
        first.err.contains("by pichroot-first-boot.service: "),
        "{first:?}"
    );
    let steps: String = made
        .list(STEPS)
        .iter()
        .map(|step| made.cat(&format!("{STEPS}/{step}")))
        .collect();
    assert!(
        steps.contains("table ip runtime {\n}\n") && !steps.contains("inet filter"),
        "{steps}"
    );
    assert!(steps.contains("add bad 198.51.100.0/24\n"), "{steps}");
    scene.assert_left(&["again.img", "out.img"]);
}

/// nmcli has no daemon to talk to; netplan's generator tells what is wrong.
#[test]
#[ignore = "long: make test-all"]
fn connections_are_files_of_the_image() {
    let scene = Scene::new();
    let install = "- apt: {name: [network-manager, netplan.io], update_cache: true, install_recommends: false}\n";
    let (first, made, _) = twice(
        &scene,
        install,
        "- community.general.nmcli:
    conn_name: lan
    ifname: eth0
    type: ethernet
    ip4: [192.0.2.5/24]
    gw4: 192.0.2.1
    dns4: [192.0.2.1, 198.51.100.1]
    dns4_search: [example.org]
    routes4: [198.51.100.0/24 192.0.2.2 5]
    method6: disabled
    autoconnect: true
    state: present
- community.general.nmcli:
    conn_name: home
    ifname: wlan0
    type: wifi
    ssid: My;Net
    wifi_sec: {key-mgmt: wpa-psk, psk: VERY_SECRET_KEY}
    autoconnect: true
    state: present
- community.general.nmcli: {conn_name: br0, ifname: br0, type: bridge, stp: false, method4: disabled, method6: disabled, state: present}
- community.general.nmcli: {conn_name: gone, state: absent}
- command: nmcli -t -f NAME,TYPE connection show
  register: shown
  changed_when: false
  failed_when: shown.stdout_lines | sort != ['br0:bridge', 'home:802-11-wireless', 'lan:802-3-ethernet']
- command: nmcli radio wifi on
  changed_when: false
- copy: {dest: /etc/netplan/10-x.yaml, mode: '0600', content: 'network: {version: 2, renderer: NetworkManager}'}
- command: netplan apply
  changed_when: false
",
        "- community.general.nmcli: {conn_name: lan, type: ethernet, ifname: eth0, ip4: [192.0.2.6/24], state: present}
- community.general.nmcli: {conn_name: br0, state: absent}
- command: nmcli -g ipv4.addresses connection show lan
  register: shown
  failed_when: shown.stdout != '192.0.2.6/24'
- copy: {dest: /etc/netplan/10-x.yaml, content: 'network: {version: 3}'}
- command: netplan apply
  register: wrong
  failed_when: wrong.rc == 0
",
    );
    // netplan runs itself: what it asks of the running machine is put off.
    let asked = "any boot does: udevadm trigger --attr-match=subsystem=net";
    assert!(first.err.contains(asked), "{first:?}");
    let folder = "/etc/NetworkManager/system-connections";
    assert_eq!(
        made.list(folder),
        ["br0.nmconnection", "home.nmconnection", "lan.nmconnection"]
    );
    for name in made.list(folder) {
        let mode = made.inode(&format!("{folder}/{name}")).mode;
        assert!(mode.ends_with("600"), "{name}: {mode}");
    }
    let lan = made.cat(&format!("{folder}/lan.nmconnection"));
    assert!(lan.contains("address1=192.0.2.5/24,192.0.2.1\n"), "{lan}");
    assert!(!made.exists("/var/lib/pichroot"));
    assert_eq!(
        Image::new(&scene.output()).list(folder),
        ["home.nmconnection", "lan.nmconnection"]
    );
    scene.assert_left(&["again.img", "out.img"]);
}
