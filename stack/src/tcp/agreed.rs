//! What both sides' SYN segments settle: segment size, window scale, SACK, timestamps (RFC 9293, 3.7.1; RFC 7323;
//! RFC 2018). An option holds only if both sides named it.

use crate::profile::TcpProfile;
use crate::tcp::incoming::Incoming;
use crate::tcp::signature::SIGNATURE_LEN;
use crate::wire::tcp::HEADER_LEN;

/// Octets of an IPv4 header, and of an IPv6 header.
const IP_HEADERS: [u16; 2] = [20, 40];
/// What a peer of version 6 takes that names no size: its least MTU less the headers (RFC 9293, MUST-15).
const DEFAULT_MSS_V6: u16 = 1220;
/// Octets that the timestamps option takes in every segment, padding counted.
pub const STAMP_LEN: u16 = 12;
/// What the least link that IPv4 knows (68 octets, RFC 791) has room for.
const LEAST_MSS: u16 = 28;
/// RFC 7323, 2.3: a larger shift is taken as this.
const MAX_SHIFT: u8 = 14;

/// The terms of a connection. Before the peer's SYN they are what we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Most octets of text and options in a segment of ours (Eff.snd.MSS, options not yet counted).
    pub send_mss: u16,
    /// What we announce: octets of text in a segment to us.
    pub recv_mss: u16,
    /// What a packet to the first hop has room for, and the application wants at most.
    pub link_mss: u16,
    /// What the way to the peer is known to have room for; the largest number if nothing is known.
    pub path_mss: u16,
    /// Octets of the fixed headers in front of options and text.
    headers: u16,
    /// The shift of the peer's window field.
    pub send_shift: u8,
    /// The shift of ours.
    pub recv_shift: u8,
    pub window_scaling: bool,
    pub timestamps: bool,
    pub sack: bool,
    /// Explicit Congestion Notification (RFC 3168).
    pub ecn: bool,
    /// Every segment is signed (RFC 2385).
    pub signed: bool,
}

impl Agreed {
    /// What a SYN of ours offers.
    pub fn offer(profile: &TcpProfile, recv_buffer: usize) -> Agreed {
        Agreed {
            send_mss: profile.default_mss,
            recv_mss: profile.default_mss,
            link_mss: profile.default_mss,
            path_mss: u16::MAX,
            headers: IP_HEADERS[0] + HEADER_LEN as u16,
            send_shift: 0,
            recv_shift: shift_for(recv_buffer.max(profile.buffers.recv_most.unwrap_or(0))),
            window_scaling: profile.window_scaling,
            timestamps: profile.timestamps,
            sack: profile.sack,
            ecn: false,
            signed: false,
        }
    }

    /// The way to the peer takes packets of `mtu` bytes, of which a tunnel takes some; `limit` is `TCP_MAXSEG`, 0: none. RFC 9293, MUST-67: what is
    /// announced is the MTU less the fixed headers, or what the administrator wants `advertised` instead.
    pub fn set_mtu(
        &mut self,
        mtu: usize,
        ipv6: bool,
        tunnel: u16,
        limit: u16,
        advertised: Option<u16>,
    ) {
        self.headers = IP_HEADERS[usize::from(ipv6)] + HEADER_LEN as u16 + tunnel;
        let fits = u16::try_from(mtu)
            .unwrap_or(u16::MAX)
            .saturating_sub(self.headers);
        let limit = if limit == 0 { u16::MAX } else { limit };
        self.link_mss = fits.min(limit).max(LEAST_MSS);
        self.recv_mss = match advertised {
            None => self.link_mss,
            Some(advertised) => self.link_mss.min(advertised).max(LEAST_MSS),
        };
    }

    /// The largest packet that is sent now.
    pub fn path_mtu(&self) -> u16 {
        let mss = self.send_mss.min(self.link_mss).min(self.path_mss);
        mss.saturating_add(self.headers)
    }

    /// Somewhere on the way to the peer packets of more than `mtu` octets are too big. No path is believed to take less
    /// than segments of the least size.
    pub fn limit_path(&mut self, mtu: u16, profile: &TcpProfile) {
        let mss = mtu.saturating_sub(self.headers).max(profile.min_mss);
        self.path_mss = self.path_mss.min(mss);
    }

    /// What the way there takes is announced as what may come back.
    pub fn announce_path(&mut self) {
        self.recv_mss = self.recv_mss.min(self.path_mss);
    }

    /// Nothing but a segment size is offered any more.
    pub fn offer_nothing(&mut self) {
        self.window_scaling = false;
        self.timestamps = false;
        self.sack = false;
        self.recv_shift = 0;
    }

    /// The peer's SYN says what it wants. `offered` must hold our own offer.
    pub fn settle(&mut self, syn: &Incoming<'_>, ipv6: bool, profile: &TcpProfile) {
        // RFC 9293, MUST-15: without the option, 536, or for version 6 1220. A zero names no size, so it counts as absent; a tiny one would
        // make us send more headers than text (CVE-2019-11479), so there is a floor.
        self.send_mss = match syn.mss {
            None | Some(0) if ipv6 => DEFAULT_MSS_V6,
            None | Some(0) => profile.default_mss,
            Some(mss) => mss.max(profile.min_mss),
        };
        self.timestamps &= syn.stamp.is_some();
        self.sack &= syn.sack_permitted;
        self.window_scaling &= syn.window_scale.is_some();
        if self.window_scaling {
            self.send_shift = syn.window_scale.unwrap_or(0).min(MAX_SHIFT);
        } else {
            self.send_shift = 0;
            self.recv_shift = 0;
        }
    }

    /// SMSS: octets of text in a full-sized segment (RFC 9293, MUST-16: what options take is not there for text).
    pub fn smss(&self) -> u32 {
        let mss = self.send_mss.min(self.link_mss).min(self.path_mss);
        u32::from(mss - self.options_len())
    }

    /// Octets of options in every segment.
    pub fn options_len(&self) -> u16 {
        let stamp = if self.timestamps { STAMP_LEN } else { 0 };
        let signature = if self.signed { SIGNATURE_LEN } else { 0 };
        stamp + signature
    }
}

/// The least shift with which a window field can say `window`.
fn shift_for(window: usize) -> u8 {
    (0..MAX_SHIFT)
        .find(|&shift| window >> shift <= usize::from(u16::MAX))
        .unwrap_or(MAX_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::wire::tcp::Segment;
    use xen_abi::Fuel;

    fn settled(options: &[u8]) -> Agreed {
        settled_with(options, false)
    }

    fn settled_with(options: &[u8], ipv6: bool) -> Agreed {
        let profile = Profile::default();
        let mut bytes = [0u8; 60];
        bytes[12] = ((HEADER_LEN + options.len()) as u8 / 4) << 4;
        bytes[HEADER_LEN..HEADER_LEN + options.len()].copy_from_slice(options);
        let segment = Segment::parse(&bytes).expect("well formed");
        let syn = Incoming::read(&segment, &Fuel::unlimited(), &profile);
        let mut agreed = Agreed::offer(&profile.tcp, 256 * 1024);
        agreed.set_mtu(1500, ipv6, 0, 0, None);
        agreed.settle(&syn, ipv6, &profile.tcp);
        agreed
    }

    #[test]
    fn without_options_the_peer_gets_segments_of_536() {
        let agreed = settled(&[]);
        assert_eq!(agreed.smss(), 536);
        assert!(!agreed.timestamps && !agreed.sack && !agreed.window_scaling);
        assert_eq!(agreed.recv_shift, 0);
    }

    #[test]
    fn over_ipv6_headers_are_longer_and_the_default_is_what_its_least_mtu_holds() {
        assert_eq!(settled_with(&[], true).smss(), 1220);
        let agreed = settled_with(&[2, 4, 5, 0xB4], true);
        assert_eq!((agreed.recv_mss, agreed.smss()), (1440, 1440));
    }

    #[test]
    fn what_is_announced_is_what_the_interface_s_mtu_has_room_for() {
        let profile = TcpProfile::default();
        for (mtu, ipv6, mss) in [
            (576, false, 536),
            (9_000, false, 8_960),
            (1_280, true, 1_220),
        ] {
            let mut agreed = Agreed::offer(&profile, 256 * 1024);
            agreed.set_mtu(mtu, ipv6, 0, 0, None);
            assert_eq!(agreed.recv_mss, mss);
        }
    }

    #[test]
    fn a_segment_size_of_zero_counts_as_absent_and_a_tiny_one_as_the_floor() {
        assert_eq!(settled(&[2, 4, 0, 0]).smss(), 536);
        assert_eq!(settled(&[2, 4, 0, 48]).smss(), 216);
    }

    #[test]
    fn timestamps_take_their_place_out_of_every_segment() {
        let agreed = settled(&[2, 4, 5, 0xB4, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!((agreed.recv_mss, agreed.smss()), (1460, 1448));
    }

    #[test]
    fn a_shift_beyond_fourteen_is_fourteen() {
        let agreed = settled(&[1, 3, 3, 200]);
        assert_eq!((agreed.send_shift, agreed.recv_shift), (14, 3));
    }

    #[test]
    fn the_least_shift_that_can_say_the_window_is_offered() {
        assert_eq!(shift_for(65_535), 0);
        assert_eq!(shift_for(65_536), 1);
        assert_eq!(shift_for(usize::MAX), 14);
    }
}
