//! nft without a kernel: scripts and commands are read, and what they would have made is kept.
//!
//! [`lexer`] finds the words, [`parser`] goes through them, [`commands`] and [`blocks`] do what they say, [`expressions`] finds what can be no rule. A rule stays the text that it is: what
//! [`ruleset`] prints makes the same again.

mod blocks;
mod commands;
mod expressions;
mod lexer;
mod parser;
mod places;
pub mod ruleset;

use std::path::Path;

pub use self::{lexer::Wrong, parser::Outcome};
use self::{parser::Script, ruleset::Ruleset};

/// Carries out a script, all of it or nothing.
pub fn run(rules: &mut Ruleset, text: &str, root: &Path, folder: &Path) -> Result<Outcome, Wrong> {
    let mut new = rules.clone();
    let mut out = Outcome::default();
    Script::new(text, root, folder)?.run(&mut new, &mut out)?;
    *rules = new;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{ruleset::Style, *};

    fn after(script: &str) -> Result<Ruleset, Wrong> {
        let mut rules = Ruleset::default();
        run(&mut rules, script, Path::new("/nowhere"), Path::new("/"))?;
        Ok(rules)
    }

    const SCRIPT: &str = r#"#!/usr/sbin/nft -f
flush ruleset
define lan = { 10.0.0.0/8, 192.168.0.0/16 }
table inet filter {
    set blocked { type ipv4_addr; flags interval
        elements = { 1.2.3.4,
                     5.0.0.0/8 }
    }
    chain input {
        type filter hook input priority 0; policy drop;
        ct state vmap { established : accept, related : accept }
        ip saddr $lan tcp dport {22,80} counter accept comment "it's fine; yes"
        ip saddr @blocked drop # not these
        jump more
    }
    chain more { }
}
add rule inet filter more udp dport 53 \
    accept
"#;

    const PRINTED: &str = r#"table inet filter {
	set blocked {
		type ipv4_addr
		flags interval
		elements = { 1.2.3.4, 5.0.0.0/8 }
	}

	chain input {
		type filter hook input priority filter; policy drop;
		ct state vmap { established : accept, related : accept }
		ip saddr { 10.0.0.0/8, 192.168.0.0/16 } tcp dport { 22, 80 } counter packets 0 bytes 0 accept comment "it's fine; yes"
		ip saddr @blocked drop
		jump more
	}

	chain more {
		udp dport 53 accept
	}
}
"#;

    #[test]
    fn a_script_is_printed_as_nft_prints_it_and_makes_the_same_again() {
        let rules = after(SCRIPT).unwrap();
        let printed = rules.print(Style::default());
        assert_eq!(printed, PRINTED);
        let again = after(&printed).unwrap();
        assert_eq!(again.print(Style::default()), printed);
    }

    #[test]
    fn commands_change_what_is_there_or_nothing() {
        let mut rules = after(SCRIPT).unwrap();
        let mut run =
            |text: &str| super::run(&mut rules, text, Path::new("/nowhere"), Path::new("/"));
        run("insert rule inet filter more accept").unwrap();
        run("add element inet filter blocked { 9.9.9.9 }").unwrap();
        run("delete element inet filter blocked { 1.2.3.4 }").unwrap();
        run("create chain inet filter more").unwrap_err();
        run("delete rule inet filter more handle 99").unwrap_err();
        run("delete chain inet filter more").unwrap_err();
        // All of it or nothing.
        run("add chain inet filter x; add rule inet filter nope accept").unwrap_err();
        run("add rule inet filter more jump nowhere").unwrap_err();
        let printed = rules.print(Style::default());
        assert!(printed.contains("elements = { 5.0.0.0/8, 9.9.9.9 }"));
        assert!(printed.ends_with("chain more {\n\t\taccept\n\t\tudp dport 53 accept\n\t}\n}\n"));
        let out = super::run(
            &mut rules,
            "flush ruleset ip",
            Path::new("/"),
            Path::new("/"),
        )
        .unwrap();
        assert_eq!(
            (out.flushed, rules.tables.len()),
            (vec![Some("ip".into())], 1)
        );
    }

    #[test]
    fn wrong_scripts_are_told_where() {
        for (script, at) in [
            ("table inet f { chain c { tcp dprot 22 } }", "dprot"),
            ("foo bar", "foo"),
            (
                "table inet f { chain c { type filter hook inptu priority 0; } }",
                "inptu",
            ),
            ("add rule inet f c accept", "f"),
            ("table inet f { set s { elements = { 1 } } }", "s"),
            ("table inet f { chain c { ip saddr $no drop } }", "$no"),
        ] {
            let wrong = after(script).unwrap_err();
            assert_eq!(&script[wrong.at.clone()], at, "{script}: {wrong:?}");
        }
        assert!(after("table inet f { chain c {").is_err());
    }

    #[test]
    fn hostile_files_end_soon() {
        let root = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            std::fs::write(root.path().join("x.nft"), text).unwrap();
            run(&mut Ruleset::default(), text, root.path(), Path::new("/"))
        };
        load(&"include \"/x.nft\"\n".repeat(100)).unwrap_err();
        load(&format!("include \"/{}\"\n", "*x".repeat(100))).unwrap();
        load("include \"/*.nft\"\n").unwrap_err();
        let laughs: String = (1..60)
            .map(|at| format!("define a{at} = {{ $a{0}, $a{0} }}\n", at - 1))
            .collect();
        load(&format!("define a0 = x\n{laughs}")).unwrap_err();
        load(&"{".repeat(1 << 20)).unwrap_err();
        let many = "table t { chain c { ".to_owned() + &"accept;".repeat(300_000) + "} }";
        load(&many).unwrap_err();
    }
}
