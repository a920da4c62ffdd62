//! Names, clocks, languages and rights, set by programs that ask a daemon, and by Ansible's modules with them.

use crate::{image::Image, live::Live, scene::Scene};

/// Each is done twice; the second time nothing changes.
const TWICE: &str = r#"- apt: {name: [locales, systemd-timesyncd, libcap2-bin, tzdata], install_recommends: false, update_cache: true}
- block:
    - hostname: {name: kitchen}
      register: named
    - community.general.timezone: {name: Europe/Vienna, hwclock: local}
      register: zone
    - community.general.locale_gen: {name: de_AT.UTF-8}
      register: locale
    - command: localectl status
      register: language
      changed_when: false
    - command: localectl set-locale LANG=de_AT.UTF-8
      when: "'LANG=de_AT.UTF-8' not in language.stdout"
      register: chosen
    - command: timedatectl show --property=NTP --value
      register: ntp
      changed_when: false
    - command: timedatectl set-ntp false
      when: ntp.stdout == "yes"
      register: network
    - copy: {src: /bin/true, dest: /usr/local/bin/mine, remote_src: true, mode: "0755"}
    - community.general.capabilities: {path: /usr/local/bin/mine, capability: cap_net_raw=ep, state: present}
      register: right
"#;

const CHECK: &str = r#"    - assert:
        that:
          - named is changed == first and zone is changed == first and locale is changed == first
          - chosen is changed == first and network is changed == first and right is changed == first
"#;

#[test]
#[ignore = "long: make test-all"]
fn settings_of_a_running_machine_are_in_its_files() {
    let block = format!("{TWICE}{CHECK}  vars: {{first: true}}\n");
    let (start, rest) = block.split_once("- block:").unwrap();
    let again = rest.replace("first: true", "first: false");
    let more = "- command: timedatectl set-time 10:00
  register: clock
  failed_when: \"'an image has no clock to set' not in clock.stderr\"
- command: hostnamectl --json=short
  register: told
- assert: {that: \"(told.stdout | from_json).StaticHostname == 'kitchen'\"}
- setup: {gather_subset: [min]}
- assert: {that: ansible_hostname == 'kitchen'}
- command: systemd-detect-virt
  register: virtual
  failed_when: virtual.stdout != 'none'
";
    let scene = Scene::with_tasks(&format!("{start}- block:{rest}- block:{again}{more}"));
    let ended = Live::start(&mut scene.ansible()).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Image::new(&scene.output());
    assert_eq!(made.cat("/etc/hostname"), "kitchen\n");
    assert_eq!(made.cat("/etc/machine-info"), "PRETTY_HOSTNAME=kitchen\n");
    assert_eq!(
        made.link("/etc/localtime"),
        "../usr/share/zoneinfo/Europe/Vienna"
    );
    assert_eq!(made.cat("/etc/adjtime"), "0.0 0 0\n0\nLOCAL\n");
    // As root gives it: 20 bytes, and 24 are those of a user namespace.
    let rights = made.attributes("/usr/local/bin/mine");
    assert!(rights.contains("security.capability (20)"), "{rights}");
    let locale = made.cat("/etc/default/locale");
    assert!(locale.starts_with("LANG=de_AT.UTF-8\n"), "{locale}");
    let wants = made.list("/etc/systemd/system/sysinit.target.wants");
    assert!(
        !wants.contains(&"systemd-timesyncd.service".into()),
        "{wants:?}"
    );
    scene.assert_left(&["out.img"]);
}
