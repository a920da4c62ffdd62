//! Programs that only tell a daemon what to do, and the daemon is of a running machine: containers, clusters, snaps.
//!
//! Nothing of what they ask for can be in an image, so most of it is refused, with what to do instead.

use crate::chroot::living::{
    call::{Answer, Call},
    machine::Machine,
    tool::Tools,
};

/// What is answered here.
pub const TOOLS: Tools = &[
    ("crictl", containerd),
    ("ctr", containerd),
    ("docker", docker),
    ("k3s", k3s),
    ("kubectl", kubectl),
    ("nerdctl", containerd),
    ("podman", podman),
    ("snap", snap),
];

const CONTAINERS: &str = "have the machine start it: a service that systemd enables runs `docker compose up` or `docker run`, \
                          which pulls what it needs; docs/living-machines.md has an example";

/// What every one of them does alone.
const ALONE: [&str; 6] = ["--help", "--version", "-h", "-v", "help", "completion"];

fn first(call: &Call, with_value: &[&str]) -> (Option<String>, Vec<String>) {
    let mut words = call.args.iter();
    while let Some(word) = words.next() {
        if with_value.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') || ALONE.contains(&word.as_str()) {
            return (Some(word.clone()), words.cloned().collect());
        }
    }
    (None, Vec::new())
}

fn is_alone(call: &Call, verb: Option<&str>) -> bool {
    let asks_help = call.args.iter().any(|word| word == "--help");
    asks_help || verb.is_none_or(|verb| ALONE.contains(&verb))
}

fn refused(call: &Call, daemon: &str, hint: &str) -> Answer {
    Answer::refused(
        &format!(
            "`{}` needs {daemon}, which does not run in an image",
            call.line()
        ),
        hint,
    )
}

fn docker(call: &Call, _: &mut Machine) -> Answer {
    let with_value = [
        "-H",
        "--host",
        "-c",
        "--context",
        "--config",
        "-l",
        "--log-level",
        "--tlscacert",
        "--tlscert",
        "--tlskey",
    ];
    let elsewhere = ["-H", "--host", "-c", "--context"];
    let variable = call
        .environment
        .iter()
        .any(|(name, _)| name == "DOCKER_HOST");
    let (verb, rest) = first(call, &with_value);
    let next = rest
        .iter()
        .find(|word| !word.starts_with('-'))
        .map(String::as_str);
    let alone = is_alone(call, verb.as_deref())
        || matches!(
            (verb.as_deref(), next),
            (
                Some("compose"),
                Some("version" | "config" | "convert" | "ls") | None
            ) | (Some("buildx"), Some("version") | None)
                | (Some("context" | "trust" | "manifest"), _)
        );
    let is_elsewhere = variable
        || call
            .args
            .iter()
            .any(|word| elsewhere.contains(&word.split('=').next().unwrap_or_default()));
    match alone || is_elsewhere {
        true => Answer::Pass,
        false => refused(call, "the Docker daemon", CONTAINERS),
    }
}

fn containerd(call: &Call, _: &mut Machine) -> Answer {
    let with_value = [
        "-a",
        "--address",
        "-n",
        "--namespace",
        "-r",
        "--runtime-endpoint",
        "-i",
        "--image-endpoint",
        "-c",
        "--config",
    ];
    let (verb, _) = first(call, &with_value);
    match is_alone(call, verb.as_deref()) || verb.as_deref() == Some("config") {
        true => Answer::Pass,
        false => refused(call, "containerd", CONTAINERS),
    }
}

/// It has no daemon, but a container would run here and now, in the image of another machine, and be gone.
fn podman(call: &Call, _: &mut Machine) -> Answer {
    let with_value = [
        "--root",
        "--runroot",
        "--storage-driver",
        "--log-level",
        "--cgroup-manager",
        "--url",
        "-c",
        "--connection",
    ];
    let (verb, rest) = first(call, &with_value);
    let next = rest
        .iter()
        .find(|word| !word.starts_with('-'))
        .map(String::as_str);
    let runs = matches!(
        (verb.as_deref(), next),
        (
            Some("run" | "start" | "exec" | "restart" | "attach" | "wait" | "play"),
            _
        ) | (
            Some("container"),
            Some("run" | "start" | "exec" | "restart" | "attach" | "wait")
        ) | (Some("pod"), Some("start" | "restart"))
            | (Some("kube"), Some("play"))
    );
    match runs && !is_alone(call, verb.as_deref()) {
        true => Answer::refused(
            &format!("`{}` would run a container in an image", call.line()),
            "have the machine start it: a file in /etc/containers/systemd (podman-systemd.unit(5)) is a service",
        ),
        false => Answer::Pass,
    }
}

/// The server of a cluster may well be elsewhere; without a word about it, it is the machine itself.
fn kubectl(call: &Call, machine: &mut Machine) -> Answer {
    let with_value = [
        "--kubeconfig",
        "-s",
        "--server",
        "-n",
        "--namespace",
        "--context",
        "--cluster",
        "--user",
        "--token",
    ];
    let names_server = |word: &String| {
        ["--kubeconfig", "-s", "--server"].contains(&word.split('=').next().unwrap_or_default())
    };
    let variable = call
        .environment
        .iter()
        .any(|(name, _)| name == "KUBECONFIG");
    let (verb, _) = first(call, &with_value);
    let client = ["config", "kustomize", "options", "plugin", "version"];
    let alone =
        is_alone(call, verb.as_deref()) || verb.is_some_and(|verb| client.contains(&verb.as_str()));
    let elsewhere =
        variable || call.args.iter().any(names_server) || machine.at("/root/.kube/config").exists();
    match alone || elsewhere {
        true => Answer::Pass,
        false => refused(
            call,
            "a cluster",
            "what the cluster is to have from its start can be a file: k3s applies what is in \
             /var/lib/rancher/k3s/server/manifests",
        ),
    }
}

fn k3s(call: &Call, machine: &mut Machine) -> Answer {
    let (verb, rest) = first(call, &["--data-dir", "-d"]);
    let of = |name: &str| {
        let words: Vec<&str> = rest.iter().map(String::as_str).collect();
        call.of(name, &words)
    };
    match verb.as_deref() {
        Some("kubectl") => kubectl(&of("/usr/bin/kubectl"), machine),
        Some("ctr") => containerd(&of("/usr/bin/ctr"), machine),
        Some("crictl") => containerd(&of("/usr/bin/crictl"), machine),
        Some("agent" | "server") if !is_alone(call, verb.as_deref()) => Answer::refused(
            &format!("`{}` would start the cluster in an image", call.line()),
            "enable its service: it starts with the machine",
        ),
        Some("etcd-snapshot" | "secrets-encrypt" | "token" | "certificate") => {
            refused(call, "k3s itself", "leave this task to the machine")
        }
        _ => Answer::Pass,
    }
}

/// Of what there is, snapd's own file tells. What changes that is not possible without snapd.
fn snap(call: &Call, machine: &mut Machine) -> Answer {
    let (verb, _) = first(call, &[]);
    let none = || {
        let state = machine.at("/var/lib/snapd/state.json");
        !std::fs::read_to_string(state).is_ok_and(|text| text.contains("\"snaps\":{\""))
    };
    match verb.as_deref() {
        Some("list") if call.args.len() == 1 && none() => Answer::Said {
            code: 0,
            out: Vec::new(),
            err: b"No snaps are installed yet. Try 'snap install hello-world'.\n".to_vec(),
        },
        Some(
            "alias" | "connect" | "disable" | "disconnect" | "enable" | "install" | "prefer"
            | "refresh" | "remove" | "restart" | "revert" | "run" | "set" | "start" | "stop"
            | "switch" | "try" | "unalias" | "unset" | "wait",
        ) => refused(
            call,
            "snapd",
            "a package of the distribution does not need it; or have a service of the machine run this line at its first boot",
        ),
        _ => Answer::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chroot::living::{call::tests::call, tool, tools::testing};

    #[test]
    fn what_needs_a_daemon_is_named_and_the_rest_runs() {
        let (_dir, mut machine) = testing::with_systemd();
        for line in [
            "docker run -d --name web nginx",
            "docker --log-level error compose -f x.yml up -d",
            "docker ps",
            "docker info",
            "ctr images ls",
            "crictl --runtime-endpoint unix:///x ps",
            "nerdctl run x",
            "podman run --rm x",
            "podman kube play x.yml",
            "kubectl get nodes",
            "k3s kubectl -n kube-system get pods",
            "k3s server --disable traefik",
            "snap install core",
        ] {
            let (code, error) = testing::said(TOOLS, &call(line), &mut machine);
            assert!(
                code == 1 && error.starts_with("pichroot: `") && error.contains("hint: "),
                "{line}: {error}"
            );
        }
        for line in [
            "docker --version",
            "docker compose version",
            "docker run --help",
            "docker -H tcp://192.0.2.1 ps",
            "ctr --version",
            "podman --version",
            "podman pull x",
            "podman generate systemd x",
            "kubectl version --client",
            "kubectl --kubeconfig /x get nodes",
            "kubectl",
            "k3s --version",
            "k3s check-config",
            "snap version",
        ] {
            let call = call(line);
            let answer = tool::find(TOOLS, call.name()).unwrap()(&call, &mut machine);
            assert_eq!(answer, Answer::Pass, "{line}");
        }
        let (code, said) = testing::said(TOOLS, &call("snap list"), &mut machine);
        assert!(code == 0 && said.starts_with("No snaps are installed yet."));
    }
}
