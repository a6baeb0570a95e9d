//! What there is: machines, domains and links, as lines of a `.kdl` file in the making.

use std::fmt::Write;

/// A machine in the making.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) name: String,
    pub(super) block: String,
}

impl Machine {
    /// A machine without domains.
    pub fn new(name: &str) -> Machine {
        Machine {
            name: name.to_owned(),
            block: String::new(),
        }
    }

    /// Adds a domain.
    pub fn domain(mut self, domain: Domain) -> Machine {
        let _ = writeln!(self.block, "{} {{\n{}}}", domain.line, domain.block);
        self
    }
}

/// A domain in the making.
#[derive(Clone, Debug)]
pub struct Domain {
    line: String,
    block: String,
}

impl Domain {
    /// A domain that runs the guest called so: `echo`, `discard`, `chargen`, `http`, `script`, `raw`, `empty`, or one's own.
    pub fn new(name: &str, guest: &str) -> Domain {
        Domain {
            line: format!("domain {} guest={}", quoted(name), quoted(guest)),
            block: String::new(),
        }
    }

    /// Its memory: `"16MiB"`.
    pub fn memory(self, size: &str) -> Domain {
        self.property("memory", size)
    }

    /// When it is started: `"1s"`, or `"manual"`.
    pub fn start(self, time: &str) -> Domain {
        self.property("start", time)
    }

    /// Any other property of a domain.
    pub fn property(mut self, name: &str, value: &str) -> Domain {
        let _ = write!(self.line, " {name}={}", quoted(value));
        self
    }

    /// Adds a network interface with these addresses: `"10.0.0.2/24"`.
    pub fn ip(self, addresses: &str) -> Domain {
        let line = format!("vif ip={}", quoted(addresses));
        self.kdl(&line)
    }

    /// The folder of Markdown that becomes its web site.
    pub fn site(self, folder: &str) -> Domain {
        let line = format!("site {}", quoted(folder));
        self.kdl(&line)
    }

    /// Anything else that may stand in a domain's block.
    pub fn kdl(mut self, text: &str) -> Domain {
        self.block.push_str(text);
        self.block.push('\n');
        self
    }
}

/// A link in the making.
#[derive(Clone, Debug)]
pub struct Link(pub(super) String);

impl Link {
    /// A link between two machines or switches, called `a-b`.
    pub fn new(a: &str, b: &str) -> Link {
        Link(format!("link {} {}", quoted(a), quoted(b)))
    }

    /// `"20ms"`
    pub fn delay(self, time: &str) -> Link {
        self.property("delay", time)
    }

    /// `"10Mbit"`
    pub fn rate(self, rate: &str) -> Link {
        self.property("rate", rate)
    }

    /// `"0.5%"`
    pub fn loss(self, share: &str) -> Link {
        self.property("loss", share)
    }

    /// Any other property of a link.
    pub fn property(mut self, name: &str, value: &str) -> Link {
        let _ = write!(self.0, " {name}={}", quoted(value));
        self
    }
}

/// A KDL string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
