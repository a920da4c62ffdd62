//! Packages that several runs need are downloaded once.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    ended::Ended,
    live::Live,
    scene::Scene,
    support::{
        pichroot, raw_copy, raw_image, run,
        server::{Request, Server, answer},
    },
};

/// Shows what apt has in the image at the end.
const SCRIPT: &str = "set -e; rm -rf /etc/apt/sources.list.d
echo \"deb [trusted=yes] $0 ./\" > /etc/apt/sources.list
apt-get -q update
apt-get -qy install --download-only little
sha256sum < /var/cache/apt/archives/little_1_all.deb";

/// A repository with one package; the package's digest.
fn repository(dir: &Path) -> String {
    let package = dir.join("little");
    fs::create_dir_all(package.join("DEBIAN")).unwrap();
    let control = "Package: little\nVersion: 1\nArchitecture: all\nDescription: a test\n\
                   Maintainer: Nobody <nobody@example.org>\n";
    fs::write(package.join("DEBIAN/control"), control).unwrap();
    let deb = dir.join("little.deb");
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .args([&package, &deb]));
    let digest = |path: &Path| run(Command::new("sha256sum").arg(path))[..64].to_owned();
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    let list = dir.join("Packages");
    let (sum, length) = (digest(&deb), size(&deb));
    let text = format!("{control}Filename: ./little.deb\nSize: {length}\nSHA256: {sum}\n");
    fs::write(&list, text).unwrap();
    let text = format!(
        "Acquire-By-Hash: yes\nSHA256:\n {} {} Packages\n",
        digest(&list),
        size(&list)
    );
    fs::write(dir.join("Release"), text).unwrap();
    sum
}

/// What a server of the repository in `dir` answers.
fn file(dir: &Path, request: &Request) -> Vec<u8> {
    let name = match request.path.rsplit('/').next() {
        Some(name) if name.len() == 64 => "Packages",
        name => name.unwrap_or_default(),
    };
    match fs::read(dir.join(name)) {
        Ok(text) => answer("200 OK", &text),
        Err(_) => answer("404 Not Found", b""),
    }
}

/// Runs a script in the image, with the repository's address as its `$0`.
fn in_image(scene: &Scene, network: &str, script: &str, url: &str) -> Ended {
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--checksum", "none", "--network", network])
        .arg(raw_image())
        .args(["--", "sh", "-c", script, url])
        .env_remove("http_proxy");
    Live::start(scene.with_own_cache(&mut command)).end()
}

#[test]
fn a_package_is_downloaded_once_and_is_there_when_its_server_is_not() {
    let files = tempfile::tempdir().unwrap();
    let scene = Scene::new();
    let sum = repository(files.path());
    let folder = files.path().to_owned();
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let server = Server::start(move |_, request| {
        if request.path.ends_with(".deb") && is_down.load(Ordering::Relaxed) {
            return answer("503 Service Unavailable", b"");
        }
        file(&folder, request)
    });
    let run = |network, script| in_image(&scene, network, script, &server.url);
    let asked = |end: &str| {
        let requests = server.requests();
        requests.iter().filter(|r| r.path.ends_with(end)).count()
    };
    let first = run("host", SCRIPT);
    assert!(first.out.contains(&sum), "{first:?}");
    assert_eq!(asked("little.deb"), 1);
    down.store(true, Ordering::Relaxed);
    let lists = server
        .requests()
        .iter()
        .filter(|r| r.path.contains("by-hash"))
        .count();
    let second = run("host", SCRIPT);
    assert!(second.out.contains(&sum), "{second:?}");
    // One question whether it is the same, and none about the list.
    assert_eq!(asked("little.deb"), 2);
    let now = server
        .requests()
        .iter()
        .filter(|r| r.path.contains("by-hash"))
        .count();
    assert_eq!((lists, now), (1, 1));
    let without = run("none", "ls /etc/apt/apt.conf.d/00pichroot");
    assert_ne!(without.code, Some(0), "{without:?}");
    // The list, the package, and the folder of locks.
    let kept = fs::read_dir(scene.path("cache/packages")).unwrap();
    assert_eq!(kept.count(), 3);
    scene.assert_left(&[]);
}

#[test]
fn a_repository_with_a_password_in_its_address_works_and_nothing_of_it_is_kept() {
    let files = tempfile::tempdir().unwrap();
    let scene = Scene::new();
    let sum = repository(files.path());
    let folder = files.path().to_owned();
    let server = Server::start(move |_, request| match request.authorization.as_deref() {
        // bob:p@w
        Some("Basic Ym9iOnBAdw==") => file(&folder, request),
        _ => answer("401 Unauthorized", b""),
    });
    let url = server.url.replace("http://", "http://bob:p%40w@");
    let ended = in_image(&scene, "host", SCRIPT, &url);
    assert!(ended.out.contains(&sum), "{ended:?}");
    // But for the folder of locks.
    let kept = fs::read_dir(scene.path("cache/packages")).unwrap();
    assert_eq!(kept.count(), 1);
    scene.assert_left(&[]);
}

#[test]
fn an_image_with_a_proxy_of_its_own_uses_it_for_https_too() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "x.img");
    let proxy = Server::start(|_, _| answer("403 Forbidden", b""));
    let exec = |options: &[&str], script: &str| {
        let mut command = pichroot(scene.dir());
        command
            .args(["exec", "-v", "--checksum", "none"])
            .args(options)
            .args(["x.img", "--", "sh", "-c", script, &proxy.url])
            .env_remove("http_proxy");
        Live::start(scene.with_own_cache(&mut command)).end()
    };
    let line = "echo \"Acquire::http::Proxy \\\"$0\\\";\" > /etc/apt/apt.conf.d/95proxy";
    let written = exec(&["--write"], line);
    assert_eq!(written.code, Some(0), "{written:?}");
    let script = "rm -rf /etc/apt/sources.list.d
        echo 'deb https://repo.invalid ./' > /etc/apt/sources.list
        apt-get -qo Acquire::Retries=0 update";
    let ended = exec(&[], script);
    let asked = |r: &Request| r.path == "repo.invalid:443";
    assert!(proxy.requests().iter().any(asked), "{ended:?}");
    let why = "the shortcut packages is not taken: the image's apt has a proxy";
    assert!(ended.err.contains(why), "{ended:?}");
    fs::remove_file(image).unwrap();
    scene.assert_left(&[]);
}
