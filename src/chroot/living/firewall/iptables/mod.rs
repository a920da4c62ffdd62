//! iptables without a kernel: what its commands would have put into the tables.
//!
//! A [`rule::Rule`] is kept in the form in which `iptables-save` writes it, whatever way it was typed, so that `-C` and
//! `-D` find it. [`command`] understands a command, [`reader`] reads its words, and those of [`matches`] and [`targets`] by
//! their lists of options ([`extension`]). [`tables`] has the chains; [`list`] and [`restore`] print and load them.

mod command;
mod destinations;
mod extension;
mod getopt;
mod icmp;
mod list;
mod lists;
mod matches;
mod protocol;
mod reader;
mod restore;
mod rule;
mod shown;
mod tables;
mod targets;
mod values;

pub use command::{Action, Problem, parse, program_of};
pub use list::{List, rules};
pub use restore::{How, restore, save};
pub use rule::Rule;
pub use tables::{Chain, Table, Tables};

#[cfg(test)]
mod corpus {
    use super::{super::names::*, *};
    #[test]
    fn corpus_of_real() {
        let text = std::fs::read_to_string("/tmp/fw-src/corpus.txt").unwrap();
        let (mut good, mut bad, mut lax, mut strict, mut unknown) = (0, 0, 0, 0, 0);
        for line in text.lines() {
            let f: Vec<&str> = line.split('\x1f').collect();
            let family = if f[1] == "iptables" {
                Family::V4
            } else {
                Family::V6
            };
            let names = Names::new(family, std::path::Path::new("/"), None);
            let mut words: Vec<String> = vec!["-t".into(), f[2].into(), "-A".into(), f[3].into()];
            let Ok(more) = super::super::text::words(f[4]) else {
                continue;
            };
            words.extend(more);
            let mut tables = Tables::default();
            let got = parse(words, &names, false).and_then(|c| {
                let c = c.unwrap();
                let unknown = false;
                tables.apply(&c.table, &c.action)?;
                Ok((unknown, c))
            });
            match (got, f[5]) {
                (Ok((un, c)), "0") => {
                    let table = tables.get_mut(&c.table).unwrap();
                    let all = rules(
                        table,
                        &Action::Rules(Some(f[3].into()), None),
                        Default::default(),
                    )
                    .unwrap();
                    let mine = all.lines().find(|l| l.starts_with("-A")).unwrap_or("");
                    if mine == f[6] {
                        good += 1;
                    } else if un {
                        unknown += 1;
                    } else {
                        bad += 1;
                        println!(
                            "BAD {} {}\n  in   {}\n  mine {mine}\n  real {}",
                            f[0], f[1], f[4], f[6]
                        );
                    }
                }
                (Ok((un, _)), code) => {
                    if !un {
                        lax += 1;
                        println!("LAX {} {} {} {code} {}", f[0], f[1], f[4], f[7]);
                    }
                }
                (Err(e), "0") => {
                    strict += 1;
                    println!("STRICT {} {} {} {e:?}", f[0], f[1], f[4]);
                }
                (Err(_), _) => good += 1,
            }
        }
        panic!("good {good} bad {bad} unknown {unknown} lax {lax} strict {strict}");
    }
}
