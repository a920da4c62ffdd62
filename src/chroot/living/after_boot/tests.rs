use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
};

use super::*;

struct Image(tempfile::TempDir);

impl Image {
    fn new() -> Self {
        let image = Image(tempfile::tempdir().unwrap());
        for folder in [
            "run",
            "tmp",
            "sbin",
            "usr/lib/systemd/system",
            "usr/lib/tmpfiles.d",
            "etc/tmpfiles.d",
        ] {
            fs::create_dir_all(image.path(folder)).unwrap();
        }
        image.write("usr/lib/systemd/systemd", "");
        symlink("../usr/lib/systemd/systemd", image.path("sbin/init")).unwrap();
        image.write(
            "etc/passwd",
            "root:x:0:0::/root:\ndb:x:105:106::/:\njoe:x:1000:1000::/home/joe:\n",
        );
        image.write("etc/group", "root:x:0:\nadm:x:4:\n");
        image
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn prepare(&self) {
        prepare(self.0.path());
    }

    /// Mode, user and group of what is there.
    fn stat(&self, path: &str) -> Option<(u32, u32, u32)> {
        let data = fs::symlink_metadata(self.path(path)).ok()?;
        Some((data.permissions().mode() & 0o7777, data.uid(), data.gid()))
    }
}

#[test]
fn tmpfiles_are_made_in_memory_and_nowhere_else() {
    let image = Image::new();
    image.write(
        "usr/lib/tmpfiles.d/a.conf",
        "d /run/db 2775 db adm -\nf+! /run/nologin 0644 - - - No\nL /run/shm - - - - /dev/shm\nd /run/systemd/seats 0755\n\
         d /var/run/old 0700 nobody-knows - -\nd /var/run/old2\nd /var/lib/a\nd /run/../etc/b\nd /run/shm/c\n\
         p+ /run/pipe 0600\nf /run/%m - - - - id=%m 100%%\nD! /tmp/.X11-unix 1777 root root 10d\nd /run/pichroot/x\n\
         d /run/%v\n",
    );
    image.write("usr/lib/tmpfiles.d/b.conf", "d /run/no\n");
    image.write("etc/machine-id", "12ab\n");
    // In the place of the other.
    image.write("etc/tmpfiles.d/b.conf", "d /run/deep/er 0711 105 106\n");
    image.prepare();
    assert_eq!(image.stat("run/db"), Some((0o2775, 105, 4)));
    assert_eq!(image.stat("run/old2"), Some((0o755, 0, 0)));
    assert_eq!(image.stat("run/deep/er"), Some((0o711, 105, 106)));
    assert_eq!(image.stat("run/pipe").unwrap().0, 0o600);
    assert_eq!(image.stat("tmp/.X11-unix").unwrap().0, 0o1777);
    assert_eq!(
        fs::read_link(image.path("run/shm")).unwrap(),
        PathBuf::from("/dev/shm")
    );
    assert_eq!(
        fs::read_to_string(image.path("run/12ab")).unwrap(),
        "id=12ab 100%"
    );
    for path in [
        "run/no",
        "run/nologin",
        "run/old",
        "run/systemd/seats",
        "run/pichroot",
        "var",
        "etc/b",
        "dev",
    ] {
        assert_eq!(image.stat(path), None, "{path}");
    }
    assert_eq!(image.stat("run/systemd/system"), Some((0o755, 0, 0)));
}

#[test]
fn services_that_boot_starts_have_their_folders_and_users_who_linger_theirs() {
    let image = Image::new();
    let unit =
        |name: &str, text: &str| image.write(&format!("usr/lib/systemd/system/{name}"), text);
    unit("default.target", "[Unit]\nWants=a.service c@x.service");
    unit("sysinit.target", "[Unit]\n");
    unit(
        "a.service",
        "[Service]\nExecStart=/a\nUser=db\nRuntimeDirectory=a b/c\nRuntimeDirectoryMode=0750",
    );
    unit(
        "b.service",
        "[Service]\nExecStart=/b\nRuntimeDirectory=never",
    );
    unit(
        "c@.service",
        "[Service]\nExecStart=/c\nRuntimeDirectory=c-%i:link",
    );
    image.write(
        "etc/systemd/system/a.service.d/x.conf",
        "[Service]\nGroup=adm\n",
    );
    image.write("var/lib/systemd/linger/joe", "");
    image.write("var/lib/systemd/linger/gone", "");
    image.prepare();
    assert_eq!(image.stat("run/a"), Some((0o750, 105, 4)));
    assert_eq!(image.stat("run/b/c"), Some((0o750, 105, 4)));
    assert_eq!(image.stat("run/b"), Some((0o755, 0, 0)));
    assert_eq!(image.stat("run/c-x"), Some((0o755, 0, 0)));
    assert_eq!(
        fs::read_link(image.path("run/link")).unwrap(),
        PathBuf::from("c-x")
    );
    assert_eq!(image.stat("run/never"), None);
    assert_eq!(image.stat("run/user/1000"), Some((0o700, 1000, 1000)));
}

#[test]
fn an_image_without_systemd_gets_nothing() {
    let image = Image::new();
    image.write("usr/lib/tmpfiles.d/a.conf", "d /run/a\n");
    fs::remove_file(image.path("sbin/init")).unwrap();
    image.prepare();
    assert_eq!(fs::read_dir(image.path("run")).unwrap().count(), 0);
}
