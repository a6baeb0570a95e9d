//! The options of a SYN segment: what is offered, or agreed on already, in the order and with the padding of the profile.

use xen_abi::Instant;

use crate::profile::TcpProfile;
use crate::profile::handshake::{SackPadding, SynOption};
use crate::tcp::connection::Connection;
use crate::wire::tcp_options::OptionWriter;

impl Connection {
    /// MSS always (RFC 9293, SHLD-5); the others if they are offered, or agreed on already. None, if the application
    /// wants none (`TCP_NOOPT`).
    pub fn syn_options(&self, now: Instant, profile: &TcpProfile) -> OptionWriter {
        let layout = &profile.handshake.layout;
        let agreed = &self.agreed;
        let mut options = OptionWriter::default();
        if agreed.signed {
            options.signature();
        }
        if self.options.rare().no_options {
            return options;
        }
        for option in layout.order {
            match option {
                SynOption::Mss => options.mss(agreed.recv_mss),
                SynOption::WindowScale if agreed.window_scaling => {
                    options.window_scale(agreed.recv_shift);
                }
                SynOption::SackPermitted if agreed.sack => match layout.sack {
                    SackPadding::EndOfList => options.sack_permitted_bare(),
                    SackPadding::NopsOfTimestamps if agreed.timestamps => {
                        options.sack_permitted_bare();
                    }
                    SackPadding::NopsOfTimestamps | SackPadding::Nops => options.sack_permitted(),
                },
                SynOption::Timestamps if agreed.timestamps => {
                    options.timestamps(self.stamps.clock(now), self.echo());
                }
                _ => {}
            }
        }
        self.fast_open_option(&mut options, profile.fast_open.padding);
        options.fill();
        options
    }
}
