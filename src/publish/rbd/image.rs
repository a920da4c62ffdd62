//! An image of Ceph's, and its generations: images with the number behind their names.
//!
//! What an image was made of is in its metadata, which goes with it when it is renamed.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Deserialize;

use super::{Content, Rbd};
use crate::{
    error::{Context, Error, Kind, Result},
    event::{Report, Task},
};

/// In its metadata: the SHA-256 of its content, and the generation.
const SHA256: &str = "pichroot.sha256";
const GENERATION: &str = "pichroot.generation";
/// In place of the checksum of what somebody else has made.
const FOREIGN: &str = "unknown";
/// What is put between an image's name and the number of a generation that is not served.
const KEPT: &str = ".pichroot-";
/// The same, for an image that is not complete.
const NEW: &str = ".pichroot-new";

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The pool, with a namespace behind a slash if it is in one.
    pool: String,
    image: String,
}

/// What becomes of the image before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Replaced {
    /// It is kept under the name of its generation.
    #[default]
    Keep,
    /// It goes to the pool's trash.
    Trash,
}

/// How an image is published.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where.
    pub spec: Spec,
    /// Whether what is not ours is replaced.
    pub force: bool,
    /// How many generations are kept beside the one that is served.
    pub keep: usize,
    /// What becomes of the image before.
    pub replaced: Replaced,
}

/// An image that is complete, under another name than that it is served by.
#[derive(Debug)]
pub struct Prepared {
    wanted: Wanted,
    rbd: Arc<Rbd>,
    generation: u64,
}

impl Spec {
    /// `POOL/IMAGE` or `POOL/NAMESPACE/IMAGE`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        let plain =
            |part: &&str| !part.is_empty() && !part.contains(['@', ' ']) && !part.starts_with('-');
        match text.rsplit_once('/') {
            Some((pool, image)) if (2..=3).contains(&parts.len()) && parts.iter().all(plain) => {
                Ok(Spec {
                    pool: pool.into(),
                    image: image.into(),
                })
            }
            _ => Err(
                Error::usage(format!("rbd: {text} does not name an image of Ceph's"))
                    .hint("write POOL/IMAGE, or POOL/NAMESPACE/IMAGE"),
            ),
        }
    }

    /// The pool, and the namespace in it.
    pub fn pool(&self) -> (&str, Option<&str>) {
        match self.pool.split_once('/') {
            Some((pool, namespace)) => (pool, Some(namespace)),
            None => (&self.pool, None),
        }
    }

    fn with(&self, ending: &str) -> String {
        format!("{self}{ending}")
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.image)
    }
}

/// What there is by the name of an image.
#[derive(Debug, PartialEq, Eq)]
enum Current {
    Nothing,
    Ours { sha256: String, generation: u64 },
    Foreign,
}

impl Wanted {
    /// Whether the cluster answers, and what is there may be replaced.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it must not, [`Kind::Host`] when the cluster cannot be asked.
    pub fn check(&self, rbd: &Rbd) -> Result<()> {
        match self.current(rbd)? {
            Current::Foreign if !self.force => Err(self.foreign()),
            _ => Ok(()),
        }
    }

    fn foreign(&self) -> Error {
        Error::usage(format!(
            "{} is there, and pichroot has not made it",
            self.spec
        ))
        .hint("rename it, or use --force to replace it: it is then kept as the generation before")
    }

    /// Whether what is there may be replaced, and which content it has.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it must not, [`Kind::Host`] when the cluster cannot be asked.
    pub fn is_there(&self, rbd: &Rbd, content: &Content) -> Result<Option<u64>> {
        let current = self.current(rbd)?;
        match &current {
            Current::Nothing => return Ok(None),
            Current::Ours { sha256, generation } if *sha256 == content.sha256()? => {
                return Ok(Some(*generation));
            }
            Current::Foreign if !self.force => return Err(self.foreign()),
            Current::Ours { .. } | Current::Foreign => {}
        }
        Ok(None)
    }

    /// Puts `content` into a new image.
    ///
    /// # Errors
    /// [`Kind::Host`] with what `rbd` says.
    pub fn prepare(
        &self,
        rbd: &Arc<Rbd>,
        content: &Content,
        report: &dyn Report,
    ) -> Result<Prepared> {
        let new = self.spec.with(NEW);
        let found = self.found(rbd)?;
        if found
            .iter()
            .any(|name| *name == format!("{}{NEW}", self.spec.image))
        {
            rbd.run(&["rm", "--no-progress", &new])?;
        }
        let current = self.current(rbd)?;
        if current != Current::Nothing {
            check_unused(rbd, &self.spec.to_string())?;
        }
        let mut last = self.kept(&found).into_iter().max().unwrap_or(0);
        match current {
            Current::Ours { generation, .. } => last = last.max(generation),
            Current::Nothing => {}
            // It becomes a generation itself.
            Current::Foreign if self.force => {
                last += 1;
                rbd.run(&["image-meta", "set", &self.spec.to_string(), SHA256, FOREIGN])?;
                let number = last.to_string();
                rbd.run(&[
                    "image-meta",
                    "set",
                    &self.spec.to_string(),
                    GENERATION,
                    &number,
                ])?;
            }
            Current::Foreign => return Err(self.foreign()),
        }
        let generation = last + 1;
        let progress = report.begin(
            Task::Publishing(self.spec.to_string().into()),
            Some(content.size()),
        );
        let args = ["import", "--no-progress", "-", &new];
        rbd.ask(&args, |to| content.write(to, &mut |at| progress.at(at)))?
            .done(&args)?;
        for (key, value) in [
            (SHA256, content.sha256()?),
            (GENERATION, generation.to_string()),
        ] {
            rbd.run(&["image-meta", "set", &new, key, &value])?;
        }
        Ok(Prepared {
            wanted: self.clone(),
            rbd: rbd.clone(),
            generation,
        })
    }

    fn current(&self, rbd: &Rbd) -> Result<Current> {
        let args = [
            "image-meta",
            "list",
            &self.spec.to_string(),
            "--format",
            "json",
        ];
        let said = rbd.ask(&args, |_| Ok(()))?;
        if said.is_absent() {
            return Ok(Current::Nothing);
        }
        let said = said.done(&args)?.stdout;
        // With nothing in it, it may be no JSON at all.
        let meta: BTreeMap<String, String> = serde_json::from_slice(&said).unwrap_or_default();
        let generation = meta.get(GENERATION).and_then(|text| text.parse().ok());
        Ok(match (meta.get(SHA256), generation) {
            (Some(sha256), Some(generation)) => Current::Ours {
                sha256: sha256.clone(),
                generation,
            },
            _ => Current::Foreign,
        })
    }

    /// The names of all images in the pool.
    fn found(&self, rbd: &Rbd) -> Result<Vec<String>> {
        let said = rbd.run(&["ls", &self.spec.pool, "--format", "json"])?;
        serde_json::from_slice(&said).context(Kind::Host, || {
            format!("cannot read which images {} has", self.spec.pool)
        })
    }

    /// The generations that are kept, the newest first.
    fn kept(&self, found: &[String]) -> Vec<u64> {
        let number = |name: &String| {
            let rest = name.strip_prefix(&self.spec.image)?;
            rest.strip_prefix(KEPT)?.parse().ok()
        };
        let mut kept: Vec<u64> = found.iter().filter_map(number).collect();
        kept.sort_unstable_by(|one, other| other.cmp(one));
        kept
    }

    fn rename(&self, rbd: &Rbd, from: &str, to: &str) -> Result<()> {
        rbd.run(&["rename", from, to]).map(drop)
    }
}

impl Prepared {
    /// Gives it the name that it is served by. The one before is kept, or goes to the trash, as asked; older ones go.
    ///
    /// Ceph has no exchange: between two renames there is no image of that name.
    ///
    /// # Errors
    /// [`Kind::Host`] when that is in use by now, or `rbd` fails.
    pub fn serve(self) -> Result<(u64, Option<u64>)> {
        let Prepared {
            wanted,
            rbd,
            generation,
        } = self;
        let rbd = &rbd;
        let spec = wanted.spec.to_string();
        let before = match wanted.current(rbd)? {
            Current::Nothing => None,
            Current::Ours { generation, .. } => Some(generation),
            // Somebody has put it there just now.
            Current::Foreign => return Err(wanted.foreign()),
        };
        if let Some(before) = before {
            check_unused(rbd, &spec)?;
            match wanted.replaced {
                Replaced::Keep => {
                    wanted.rename(rbd, &spec, &wanted.spec.with(&format!("{KEPT}{before}")))?
                }
                Replaced::Trash => rbd.run(&["trash", "mv", &spec]).map(drop)?,
            }
        }
        wanted.rename(rbd, &wanted.spec.with(NEW), &spec)?;
        let kept = wanted.kept(&wanted.found(rbd)?);
        for old in kept.iter().skip(wanted.keep) {
            rbd.run(&[
                "rm",
                "--no-progress",
                &wanted.spec.with(&format!("{KEPT}{old}")),
            ])?;
        }
        Ok((
            generation,
            kept.first().copied().filter(|_| wanted.keep > 0),
        ))
    }
}

/// Serves the generation before again; the one that is served now is kept. The two generations.
///
/// # Errors
/// [`Kind::Usage`] when there is none, [`Kind::Host`] when the image is in use.
pub fn roll_back(wanted: &Wanted, rbd: &Rbd) -> Result<(u64, Option<u64>)> {
    let spec = wanted.spec.to_string();
    let Current::Ours { generation, .. } = wanted.current(rbd)? else {
        return Err(Error::usage(format!("pichroot has not published {spec}"))
            .hint("what it has published can be rolled back, to the generation before"));
    };
    let kept = wanted.kept(&wanted.found(rbd)?);
    // After a rollback it is the newer one.
    let before = kept
        .iter()
        .find(|kept| **kept < generation)
        .or(kept.first());
    let Some(before) = before else {
        return Err(Error::usage(format!(
            "no generation of {spec} is kept but the one that is served"
        ))
        .hint("one that went to the trash comes back by `rbd trash restore`"));
    };
    check_unused(rbd, &spec)?;
    wanted.rename(
        rbd,
        &spec,
        &wanted.spec.with(&format!("{KEPT}{generation}")),
    )?;
    wanted.rename(rbd, &wanted.spec.with(&format!("{KEPT}{before}")), &spec)?;
    Ok((*before, Some(generation)))
}

/// Refuses to touch an image that a machine has mapped.
fn check_unused(rbd: &Rbd, spec: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Status {
        #[serde(default)]
        watchers: Vec<Watcher>,
    }
    #[derive(Deserialize)]
    struct Watcher {
        address: String,
    }
    let said = rbd.run(&["status", spec, "--format", "json"])?;
    let failed = || format!("cannot read who uses {spec}");
    let status: Status = serde_json::from_slice(&said).context(Kind::Host, failed)?;
    match status.watchers.first() {
        None => Ok(()),
        Some(watcher) => Err(Error::host(format!(
            "{spec} is in use, by {}",
            watcher.address.split(':').next().unwrap_or_default()
        ))
        .hint("switch that machine off first: an image that is in use is never replaced; a machine that lost its power is \
               forgotten after half a minute")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_with_their_pool() {
        for good in ["pi-root/mypi", "rbd/ns/mypi.example.com"] {
            assert_eq!(Spec::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "mypi", "a/b/c/d", "a//b", "a/b@snap", "/a", "a/", "-a/b", "a/ b",
        ] {
            assert!(Spec::parse(bad).is_err(), "{bad}");
        }
    }
}
