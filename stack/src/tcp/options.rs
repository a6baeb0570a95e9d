//! A socket's options, as set before or during a connection and inherited from its listener. What nearly every socket
//! asks of them is here; the rest stands apart, and takes memory only in sockets that set it.

use alloc::boxed::Box;

use crate::api::{OptionName, SocketError, SocketOption};
use crate::profile::{MS, SEC, TcpProfile};

/// Least and largest buffer.
const BUFFER_RANGE: (usize, usize) = (1024, 16 << 20);

/// What `setsockopt(2)` has set.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// `SO_RCVBUF`
    pub recv_buffer: u32,
    /// `SO_SNDBUF`
    pub send_buffer: u32,
    /// `TCP_MAXSEG`; 0: not set
    pub max_seg: u16,
    /// The peer's UDP port, if segments travel in datagrams; 0: they do not.
    pub udp_port: u16,
    /// `TCP_NODELAY`
    pub no_delay: bool,
    /// `SO_KEEPALIVE`: off by default (RFC 9293, MUST-25).
    pub keep_alive: bool,
    /// `SO_REUSEADDR`
    pub reuse_addr: bool,
    /// `TCP_CORK`
    pub cork: bool,
    /// Whether `SO_SNDBUF` was set: then the buffer does not grow.
    pub send_buffer_set: bool,
    rare: Option<Box<Rare>>,
}

/// What an application chooses of the IP header's fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpChoice {
    /// `IP_TOS`, `IPV6_TCLASS`: the two bits of ECN are not the application's.
    pub traffic_class: u8,
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`; none: the profile's.
    pub hop_limit: Option<u8>,
}

impl IpChoice {
    /// The six bits of DSCP.
    pub fn dscp(self) -> u8 {
        self.traffic_class >> 2
    }

    /// Time to live, or hop limit (RFC 9293, MUST-49).
    pub fn hops(self, profile: &TcpProfile) -> u8 {
        self.hop_limit.unwrap_or(profile.ttl)
    }
}

/// Options that few sockets set.
#[derive(Clone, Debug)]
pub struct Rare {
    /// `SO_LINGER`, seconds
    pub linger: Option<u32>,
    /// `SO_OOBINLINE`
    pub urgent_in_line: Option<bool>,
    /// `SO_RCVLOWAT`; 0: not set
    pub recv_lowat: u32,
    /// `SO_PRIORITY`
    pub priority: u32,
    /// `SO_ZEROCOPY`
    pub zero_copy: bool,
    /// `SO_TIMESTAMPING`
    pub timestamping: u32,
    /// `IP_TOS`, `IP_TTL`
    pub ip: IpChoice,
    /// `IP_FREEBIND`
    pub free_bind: bool,
    /// `IPV6_V6ONLY`
    pub only_v6: bool,
    /// `TCP_QUICKACK`
    pub quick_ack: Option<bool>,
    /// `TCP_USER_TIMEOUT`, milliseconds; 0: not set
    pub user_timeout: u32,
    /// `TCP_SYNCNT`
    pub syn_count: Option<u8>,
    /// `TCP_KEEPIDLE`, seconds
    pub keep_idle: Option<u32>,
    /// `TCP_KEEPINTVL`, seconds
    pub keep_interval: Option<u32>,
    /// `TCP_KEEPCNT`
    pub keep_count: Option<u8>,
    /// `TCP_KEEPINIT`, seconds
    pub keep_init: Option<u32>,
    /// `TCP_NOTSENT_LOWAT`; 0: not set
    pub not_sent_lowat: u32,
    /// `TCP_INQ`
    pub in_queue: bool,
    /// `TCP_NOOPT`
    pub no_options: bool,
    /// `TCP_LINGER2`, seconds
    pub linger2: Option<i32>,
}

/// None is set.
const UNSET: Rare = Rare {
    linger: None,
    urgent_in_line: None,
    recv_lowat: 0,
    priority: 0,
    zero_copy: false,
    timestamping: 0,
    ip: IpChoice {
        traffic_class: 0,
        hop_limit: None,
    },
    free_bind: false,
    only_v6: false,
    quick_ack: None,
    user_timeout: 0,
    syn_count: None,
    keep_idle: None,
    keep_interval: None,
    keep_count: None,
    keep_init: None,
    not_sent_lowat: 0,
    in_queue: false,
    no_options: false,
    linger2: None,
};

static NOT_SET: Rare = UNSET;

impl Default for Rare {
    fn default() -> Rare {
        UNSET
    }
}

impl SocketOptions {
    /// A new socket's.
    pub fn new(profile: &TcpProfile) -> SocketOptions {
        SocketOptions {
            recv_buffer: clamp(profile.recv_buffer),
            send_buffer: clamp(profile.send_buffer),
            max_seg: 0,
            udp_port: 0,
            no_delay: false,
            keep_alive: false,
            reuse_addr: false,
            cork: false,
            send_buffer_set: false,
            rare: None,
        }
    }

    /// Options that few sockets set.
    #[inline]
    pub fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOT_SET)
    }

    /// Sets one.
    pub fn set(&mut self, option: SocketOption, profile: &TcpProfile) -> Result<(), SocketError> {
        use SocketOption as O;
        match option {
            O::NoDelay(on) => self.no_delay = on,
            O::KeepAlive(on) => self.keep_alive = on,
            O::RecvBuffer(bytes) => self.recv_buffer = clamp(asked(bytes, profile)),
            O::SendBuffer(bytes) => {
                self.send_buffer = clamp(asked(bytes, profile));
                self.send_buffer_set = true;
            }
            O::ReuseAddr(on) => self.reuse_addr = on,
            O::MaxSeg(mss) if mss < profile.min_mss => return Err(SocketError::EINVAL),
            O::MaxSeg(mss) => self.max_seg = mss,
            O::Cork(on) => self.cork = on,
            O::RemoteUdpPort(port) if port > 0 && profile.udp_tunnel.port == 0 => {
                return Err(SocketError::EINVAL);
            }
            O::RemoteUdpPort(port) => self.udp_port = port,
            // Those are not a connection's.
            O::Signature(_)
            | O::FastOpen(_)
            | O::FastOpenConnect(_)
            | O::FastOpenNoCookie(_)
            | O::FastOpenKeys(_) => return Err(SocketError::EINVAL),
            other => return self.rare.get_or_insert_default().set(other),
        }
        Ok(())
    }

    /// Reads one.
    pub fn get(&self, name: OptionName, profile: &TcpProfile) -> Result<SocketOption, SocketError> {
        use OptionName as N;
        use SocketOption as O;
        let rare = self.rare();
        Ok(match name {
            N::NoDelay => O::NoDelay(self.no_delay),
            N::KeepAlive => O::KeepAlive(self.keep_alive),
            N::RecvBuffer => O::RecvBuffer(self.recv_buffer as usize),
            N::SendBuffer => O::SendBuffer(self.send_buffer as usize),
            N::ReuseAddr => O::ReuseAddr(self.reuse_addr),
            N::Linger => O::Linger(rare.linger),
            N::MaxSeg if self.max_seg == 0 => O::MaxSeg(profile.default_mss),
            N::MaxSeg => O::MaxSeg(self.max_seg),
            N::Cork => O::Cork(self.cork),
            N::OutOfBandInline => O::OutOfBandInline(self.urgent_in_line(profile)),
            N::RecvLowat => O::RecvLowat(rare.recv_lowat.max(1)),
            N::Priority => O::Priority(rare.priority),
            N::ZeroCopy => O::ZeroCopy(rare.zero_copy),
            N::Timestamping => O::Timestamping(rare.timestamping),
            N::TrafficClass => O::TrafficClass(rare.ip.traffic_class),
            N::HopLimit => O::HopLimit(Some(rare.ip.hops(profile))),
            N::FreeBind => O::FreeBind(rare.free_bind),
            N::OnlyV6 => O::OnlyV6(rare.only_v6),
            N::QuickAck => O::QuickAck(rare.quick_ack.unwrap_or(true)),
            N::UserTimeout => O::UserTimeout(rare.user_timeout),
            N::SynCount => O::SynCount(self.syn_retries(profile).ok_or(SocketError::ENOPROTOOPT)?),
            N::KeepIdle => O::KeepIdle((self.keep_idle(profile) / SEC) as u32),
            N::KeepInterval => O::KeepInterval((self.keep_interval(profile) / SEC) as u32),
            N::KeepCount => O::KeepCount(self.keep_count(profile)),
            N::KeepInit => O::KeepInit((self.keep_init(profile) / SEC) as u32),
            N::NotSentLowat => O::NotSentLowat(rare.not_sent_lowat),
            N::InQueue => O::InQueue(rare.in_queue),
            N::NoOptions => O::NoOptions(rare.no_options),
            N::Linger2 => O::Linger2((self.fin_wait_2(profile) / SEC) as i32),
            N::RemoteUdpPort => O::RemoteUdpPort(self.udp_port),
            N::Signature
            | N::FastOpen
            | N::FastOpenConnect
            | N::FastOpenNoCookie
            | N::FastOpenKeys => {
                return Err(SocketError::EINVAL);
            }
        })
    }

    /// Idle time before the first keep-alive, nanoseconds.
    pub fn keep_idle(&self, profile: &TcpProfile) -> u64 {
        seconds(self.rare().keep_idle).unwrap_or(profile.keepalive_idle)
    }

    /// Between keep-alives, nanoseconds.
    pub fn keep_interval(&self, profile: &TcpProfile) -> u64 {
        seconds(self.rare().keep_interval).unwrap_or(profile.keepalive_interval)
    }

    /// Keep-alives without an answer before the connection is dead.
    pub fn keep_count(&self, profile: &TcpProfile) -> u8 {
        self.rare().keep_count.unwrap_or(profile.keepalive_probes)
    }

    /// How long an open may take, nanoseconds.
    pub fn keep_init(&self, profile: &TcpProfile) -> u64 {
        seconds(self.rare().keep_init).unwrap_or(profile.r2_syn)
    }

    /// Retransmissions of a SYN, if it is they that are counted.
    pub fn syn_retries(&self, profile: &TcpProfile) -> Option<u8> {
        self.rare().syn_count.or(profile.handshake.syn_retries)
    }

    /// How long text may stay unacknowledged, nanoseconds (RFC 5482, the local side; RFC 9293, 3.8.3: R2).
    pub fn user_timeout(&self, profile: &TcpProfile) -> u64 {
        match self.rare().user_timeout {
            0 => profile.r2,
            ms => u64::from(ms) * MS,
        }
    }

    /// How long a connection that nobody owns stays in FIN-WAIT-2, nanoseconds.
    pub fn fin_wait_2(&self, profile: &TcpProfile) -> u64 {
        match self.rare().linger2 {
            None | Some(0) => profile.fin_wait_2,
            // Linux: a negative time is none at all.
            Some(seconds) => u64::try_from(seconds).unwrap_or(0) * SEC,
        }
    }

    /// Whether the last urgent octet stays in the line.
    pub fn urgent_in_line(&self, profile: &TcpProfile) -> bool {
        self.rare().urgent_in_line.unwrap_or(profile.urgent_in_line)
    }
}

impl Rare {
    fn set(&mut self, option: SocketOption) -> Result<(), SocketError> {
        use SocketOption as O;
        match option {
            O::OutOfBandInline(on) => self.urgent_in_line = Some(on),
            O::Linger(seconds) => self.linger = seconds,
            O::RecvLowat(bytes) => self.recv_lowat = bytes,
            O::Priority(priority) => self.priority = priority,
            O::ZeroCopy(on) => self.zero_copy = on,
            O::Timestamping(flags) => self.timestamping = flags,
            O::TrafficClass(class) => self.ip.traffic_class = class,
            O::HopLimit(Some(0)) => return Err(SocketError::EINVAL),
            O::HopLimit(limit) => self.ip.hop_limit = limit,
            O::FreeBind(on) => self.free_bind = on,
            O::OnlyV6(on) => self.only_v6 = on,
            O::QuickAck(on) => self.quick_ack = Some(on),
            O::UserTimeout(ms) => self.user_timeout = ms,
            O::SynCount(count @ 1..=127) => self.syn_count = Some(count),
            O::KeepIdle(seconds @ 1..=32_767) => self.keep_idle = Some(seconds),
            O::KeepInterval(seconds @ 1..=32_767) => self.keep_interval = Some(seconds),
            O::KeepCount(count @ 1..=127) => self.keep_count = Some(count),
            O::KeepInit(seconds @ 1..=32_767) => self.keep_init = Some(seconds),
            O::NotSentLowat(bytes) => self.not_sent_lowat = bytes,
            O::InQueue(on) => self.in_queue = on,
            O::NoOptions(on) => self.no_options = on,
            O::Linger2(seconds) => self.linger2 = Some(seconds),
            O::SynCount(_)
            | O::KeepIdle(_)
            | O::KeepInterval(_)
            | O::KeepCount(_)
            | O::KeepInit(_) => return Err(SocketError::EINVAL),
            _ => return Err(SocketError::ENOPROTOOPT),
        }
        Ok(())
    }
}

fn seconds(set: Option<u32>) -> Option<u64> {
    Some(u64::from(set?) * SEC)
}

/// What the kernel makes of the size that a program asks for.
fn asked(bytes: usize, profile: &TcpProfile) -> usize {
    match profile.buffers.doubled {
        true => bytes.saturating_mul(2),
        false => bytes,
    }
}

fn clamp(bytes: usize) -> u32 {
    bytes.clamp(BUFFER_RANGE.0, BUFFER_RANGE.1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_the_profiles_and_takes_no_memory() {
        let profile = TcpProfile::default();
        let mut options = SocketOptions::new(&profile);
        assert_eq!(
            options.get(OptionName::KeepIdle, &profile),
            Ok(SocketOption::KeepIdle(7200))
        );
        assert!(options.rare.is_none());
        options.set(SocketOption::KeepIdle(15), &profile).unwrap();
        assert_eq!(options.keep_idle(&profile), 15 * SEC);
        assert_eq!(options.keep_interval(&profile), 75 * SEC);
    }

    #[test]
    fn buffers_are_doubled_where_that_is_the_habit() {
        let mut profile = TcpProfile::default();
        for (doubled, bytes) in [(false, 21_000), (true, 42_000)] {
            profile.buffers.doubled = doubled;
            let mut options = SocketOptions::new(&profile);
            let asked = SocketOption::SendBuffer(21_000);
            options.set(asked, &profile).unwrap();
            let got = options.get(OptionName::SendBuffer, &profile);
            assert_eq!(got, Ok(SocketOption::SendBuffer(bytes)));
        }
    }

    #[test]
    fn times_and_counts_out_of_range_are_refused() {
        let profile = TcpProfile::default();
        let mut options = SocketOptions::new(&profile);
        for option in [
            SocketOption::KeepIdle(0),
            SocketOption::KeepIdle(32_768),
            SocketOption::KeepCount(128),
            SocketOption::SynCount(0),
            SocketOption::HopLimit(Some(0)),
            SocketOption::MaxSeg(215),
        ] {
            let refused = options.set(option, &profile);
            assert_eq!(refused, Err(SocketError::EINVAL), "{option:?}");
        }
    }
}
