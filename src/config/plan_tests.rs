//! Whole plans from a folder with files in it.

use std::fs;

use super::*;
use crate::{
    config::{
        CommandPlan, GivenImage,
        choice::{Emulation, FirstBoot, Live, Network, Shortcut, Shortcuts},
    },
    error::Kind,
    image::{Checksum, Location},
};

struct Place {
    folder: tempfile::TempDir,
    around: Surroundings,
}

impl Place {
    /// A working directory with playbooks/site.yml and this pichroot.yml.
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let around = Surroundings {
            cwd: folder.path().to_owned(),
            env: [("HOME".into(), "/h".into())].into(),
            data_dir: None,
            venv: None,
        };
        let place = Place { folder, around };
        place.write("playbooks/site.yml", "[]\n");
        place.write("pichroot.yml", config);
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn plan(&self, change: impl FnOnce(&mut Given)) -> Result<AnsiblePlan> {
        let mut given = Given {
            playbook: "site.yml".into(),
            ..Given::default()
        };
        change(&mut given);
        AnsiblePlan::new(given, &self.around)
    }

    fn refused(&self, part: &str, change: impl FnOnce(&mut Given)) {
        let error = self.plan(change).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains(part), "{error} / {part}");
        assert!(
            error.hint_text().is_some_and(|hint| !hint.is_empty()),
            "{error}"
        );
    }
}

/// A source that is no name.
fn known(asked: &Asked) -> &ImageSource {
    match asked {
        Asked::Source(source) => source,
        Asked::Name(named) => panic!("{} is a name", named.name),
    }
}

fn source_of(plan: &AnsiblePlan) -> &ImageSource {
    known(&plan.image.as_ref().expect("an image").source)
}

const CONFIG: &str = "image: {source: base.img.xz, checksum: 'file:SUMS', output: 'out/{hn_hostname}.img', \
                      layout: {1: /boot, 2: /}}\nansible: {user: ubuntu, args: [--diff]}\n\
                      vars: {hn_pi: true, hn_hostname: low}\nsecrets: {a: {env: A}, b: {file: key}}\n";

#[test]
fn the_command_line_of_the_readme() {
    let place = Place::new("image: {source: base.img.xz}\n");
    let plan = place.plan(|given| given.extra_vars = vec!["hn_hostname=mypi".into()]);
    let plan = plan.unwrap();
    let site = place.at("playbooks/site.yml");
    assert_eq!(plan.playbook, Playbook::File(site));
    assert_eq!(
        source_of(&plan).location,
        Location::Path(place.at("base.img.xz"))
    );
    assert_eq!(plan.output, place.at("mypi.img"));
    assert_eq!(plan.host_name, "mypi");
    assert_eq!(plan.on_error, OnError::Cleanup);
}

#[test]
fn values_of_the_file_start_from_its_folder() {
    let place = Place::new("");
    place.write("conf/p.yml", CONFIG);
    place.write("conf/out/x", "");
    let plan = place
        .plan(|given| given.image.config = Some("conf/p.yml".into()))
        .unwrap();
    let source = source_of(&plan);
    assert_eq!(
        source.location,
        Location::Path(place.at("conf/base.img.xz"))
    );
    let sums = Location::Path(place.at("conf/SUMS"));
    assert_eq!(source.checksum, Checksum::File(sums));
    assert_eq!(plan.output, place.at("conf/out/low.img"));
    assert_eq!(plan.secrets[1].source, Source::File(place.at("conf/key")));
    assert_eq!(plan.secret_variables(), ["A"]);
    assert_eq!(
        plan.image
            .as_ref()
            .unwrap()
            .settings
            .layout
            .as_ref()
            .unwrap()
            .get(1),
        Some(Path::new("/boot"))
    );
    assert_eq!(
        (plan.user.as_deref(), plan.arguments),
        (Some("ubuntu"), vec!["--diff".into()])
    );
}

#[test]
fn the_command_line_wins() {
    let place = Place::new(CONFIG);
    place.write("vars.yml", "hn_hostname: middle\n");
    place.write("hosts", "x\n");
    let plan = place
        .plan(|given| {
            given.source = Some("https://x/other.img".into());
            given.outputs = vec!["o.img".into()];
            given.user = Some("me".into());
            given.var_files = vec!["vars.yml".into()];
            given.secrets = vec!["a=prompt".into()];
            given.inventories = vec!["hosts".into(), "a,".into()];
            given.rest = vec!["--check".into()];
        })
        .unwrap();
    let other = Location::Url("https://x/other.img".into());
    assert_eq!(source_of(&plan).location, other);
    // The file's checksum is of its own image; its layout is for each.
    assert_eq!(source_of(&plan).checksum, Checksum::Unspecified);
    assert!(plan.image.as_ref().unwrap().settings.layout.is_some());
    assert_eq!(plan.output, place.at("o.img"));
    assert_eq!(plan.host_name, "middle");
    assert_eq!(plan.user.as_deref(), Some("me"));
    let names: Vec<_> = plan
        .secrets
        .iter()
        .map(|secret| secret.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(
        plan.inventories,
        [place.at("hosts").to_str().unwrap(), "a,"]
    );
    assert!(plan.changes_nothing);
}

#[test]
fn whatever_is_wrong_is_named() {
    let place = Place::new("image: {source: x}\n");
    place.refused("no playbook other.yml", |given| {
        given.playbook = "other.yml".into()
    });
    place.refused("no inventory", |given| {
        given.inventories = vec!["none".into()]
    });
    place.refused("cannot read the variable file", |given| {
        given.var_files = vec!["none".into()]
    });
    place.refused("does not exist", |given| {
        given.outputs = vec!["no/a.img".into()]
    });
    place.refused("cannot read", |given| {
        given.image.config = Some("none.yml".into())
    });
    place.refused("cannot be in what follows --", |given| {
        given.rest = vec!["-e".into()]
    });
    place.refused("is not a host name", |given| {
        given.extra_vars = vec!["hn_hostname=../x".into()];
        given.outputs = vec!["a.img".into()];
    });
    place.write("taken.img", "");
    place.refused("taken.img exists", |given| {
        given.outputs = vec!["taken.img".into()]
    });
    place
        .plan(|given| (given.outputs, given.force) = (vec!["taken.img".into()], true))
        .unwrap();
    Place::new("").refused("no image is given", |_| ());
}

#[test]
fn shortcuts_are_all_taken_but_those_that_either_names() {
    let place = Place::new("image: {source: a.img}\nshortcuts: {sync: false}\n");
    let plan = place.plan(|given| given.image.no_shortcuts = vec![Shortcut::Packages]);
    let only = Shortcuts {
        sync: false,
        packages: false,
        ..Shortcuts::default()
    };
    assert_eq!(plan.unwrap().image.unwrap().settings.shortcuts, only);
    // Where nothing changes, nothing is put off.
    let plan = place.plan(|given| given.options = vec!["--check".into()]);
    assert!(!plan.unwrap().image.unwrap().settings.shortcuts.initramfs);
}

#[test]
fn a_checksum_is_read_before_anything_is_done() {
    let place = Place::new("image: {source: a.img}\n");
    place.refused("checksum", |given| {
        given.image.checksum = Some("sha256:1".into())
    });
}

#[test]
fn exec_and_shell_heed_the_file() {
    let place = Place::new(
        "image: {source: a.img, checksum: none, layout: {3: /}}\nnetwork: none\n\
         emulation: qemu\nshortcuts: {apt-hooks: false}\n",
    );
    let plan = |image: &str, write| {
        CommandPlan::new(image, write, GivenImage::default(), &place.around).unwrap()
    };
    let own = plan("a.img", false).image;
    assert_eq!(known(&own.source).checksum, Checksum::None);
    let other = plan("b.img", true).image;
    assert_eq!(known(&other.source).checksum, Checksum::Unspecified);
    for (image, sync) in [(own, true), (other, false)] {
        let settings = image.settings;
        assert_eq!(settings.layout.unwrap().get(3), Some(Path::new("/")));
        assert_eq!(settings.network, Network::None);
        assert_eq!(settings.emulation, Emulation::Qemu);
        assert!(settings.twins.is_none() && settings.packages.is_none());
        let shortcuts = settings.shortcuts;
        assert_eq!((shortcuts.apt_hooks, shortcuts.sync), (false, sync));
    }
    let url = CommandPlan::new("http://x/a.img", true, GivenImage::default(), &place.around);
    assert!(url.unwrap_err().to_string().contains("not a local image"));
}

#[test]
fn a_name_is_looked_up_in_the_lists_of_the_file_and_the_command_line() {
    let place = Place::new(
        "image: {source: raspios-lite-arm64, checksum: 'sha256:AA', catalogues: [own.json, 'https://x/l.json']}\n"
            .replace("AA", &"ab".repeat(32))
            .as_str(),
    );
    let plan = place.plan(|given| given.image.catalogues = vec!["mine.json".into()]);
    let plan = plan.unwrap();
    let Asked::Name(named) = &plan.image.as_ref().unwrap().source else {
        panic!("a name expected")
    };
    assert_eq!(named.name, "raspios-lite-arm64");
    assert_eq!(named.path, place.at("raspios-lite-arm64"));
    assert!(matches!(named.checksum, Checksum::Digest(_)));
    let own = ["mine.json", "own.json"].map(|list| Location::Path(place.at(list)));
    let far = Location::Url("https://x/l.json".into());
    assert_eq!(named.catalogues.own, [&own[..], &[far]].concat());
    let official = Location::Url(crate::image::catalogue::OFFICIAL.into());
    assert_eq!(named.catalogues.official, Some(official));

    // The same name on the command line is the file's image; another is not.
    let checksum = |name: &str| {
        let plan = place
            .plan(|given| given.source = Some(name.into()))
            .unwrap();
        match plan.image.unwrap().source {
            Asked::Name(named) => named.checksum,
            Asked::Source(source) => source.checksum,
        }
    };
    assert!(matches!(
        checksum("raspios-lite-arm64"),
        Checksum::Digest(_)
    ));
    assert_eq!(checksum("raspios-lite-armhf"), Checksum::Unspecified);

    // A file of that name is the image.
    place.write("raspios-lite-arm64", "");
    let plan = place.plan(|_| {}).unwrap();
    let file = Location::Path(place.at("raspios-lite-arm64"));
    assert_eq!(source_of(&plan).location, file);
}

#[test]
fn the_official_list_may_be_another_or_none() {
    let place = |value: &str| {
        let mut place = Place::new("image: {source: some name}\n");
        let name = "PICHROOT_CATALOGUE";
        place.around.env.insert(name.into(), value.into());
        place
    };
    let official = |value: &str| {
        let place = place(value);
        let plan = place.plan(|_| {}).unwrap();
        let Asked::Name(named) = plan.image.unwrap().source else {
            panic!("a name expected")
        };
        let cwd = place.around.cwd.clone();
        named
            .catalogues
            .official
            .map(|list| list.whole().replace(cwd.to_str().unwrap(), "."))
    };
    assert_eq!(official("none"), None);
    assert_eq!(
        official("https://x/l.json").as_deref(),
        Some("https://x/l.json")
    );
    assert_eq!(official("l.json").as_deref(), Some("./l.json"));
}

#[test]
fn a_signature_belongs_to_its_image_and_to_its_keyring() {
    let place =
        Place::new("image: {source: a.img, signature: {keyring: ring.gpg, file: a.img.sig}}\n");
    let signature = |change: &dyn Fn(&mut Given)| {
        let plan = place.plan(change).unwrap();
        let signature = source_of(&plan).signature.clone()?;
        let file = signature.file.map(|file| file.whole());
        Some((signature.keyring, file))
    };
    let at = |path: &str| place.at(path).display().to_string();
    let ring = place.at("ring.gpg");
    let own = (ring.clone(), Some(at("a.img.sig")));
    assert_eq!(signature(&|_| {}), Some(own.clone()));
    assert_eq!(
        signature(&|given| given.source = Some("a.img".into())),
        Some(own)
    );
    assert_eq!(
        signature(&|given| given.source = Some("b.img".into())),
        None
    );
    let other = |given: &mut Given| given.image.signature = Some("https://x/s".into());
    assert_eq!(signature(&other), Some((ring, Some("https://x/s".into()))));
    let keyring = |given: &mut Given| given.image.keyring = Some("b.gpg".into());
    assert_eq!(signature(&keyring), Some((place.at("b.gpg"), None)));
    let place = Place::new("image: {source: a.img}\n");
    place.refused("no keyring", |given| {
        given.image.signature = Some("a.sig".into())
    });
}

#[test]
fn how_a_machine_is_answered() {
    let place = Place::new("image: {source: a.img}\nlive: first-boot\nfirst_boot: off\n");
    let living = |change: fn(&mut Given)| {
        let plan = place.plan(change).unwrap();
        let living = plan.image.unwrap().settings.living;
        living.map(|living| living.first_boot)
    };
    assert_eq!(living(|_| ()), Some(false));
    let on = |given: &mut Given| given.image.first_boot = Some(FirstBoot::On);
    assert_eq!(living(on), Some(true));
    let fail = |given: &mut Given| given.image.live = Some(Live::Fail);
    assert_eq!(living(fail), None);
}
