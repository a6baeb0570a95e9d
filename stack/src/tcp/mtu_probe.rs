//! Packetization Layer Path MTU Discovery (RFC 4821): a segment that is larger than those before goes first; if it
//! arrives, the path takes such segments, and if it has to be sent again, it does not. Between the two the search
//! halves what is left. When nothing at all seems to pass, the size falls (7.7: black holes).

use crate::profile::ProbingMode;
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Owner};
use crate::tcp::recovery::Phase;
use crate::tcp::shared::Shared;
use crate::tcp::transmit::{Plan, Why};
use crate::wire::tcp::Flags;

/// A search. Sizes are those of segments, options counted.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// What is known to pass, or believed to.
    low: u16,
    /// What may pass.
    high: u16,
    /// The probe that is out: its size, and where it begins and ends.
    probe: Option<(u16, SeqNumber, SeqNumber)>,
}

impl Connection {
    /// The handshake is over: where every path is probed, segments begin small.
    pub fn begin_mtu_search(&mut self, shared: &Shared) {
        if shared.tcp().mtu_probing.mode == ProbingMode::Always {
            let profile = &shared.tcp().mtu_probing;
            self.search_mtu_from(profile.base_mss);
            let passive = matches!(self.owner, Owner::Listener(_));
            if !(passive && profile.passive_begins_full) {
                self.use_segments_of(self.agreed.path_mss.min(profile.base_mss));
            }
        }
    }

    /// So many timeouts that it may be the size that does not pass (RFC 4821, 7.7).
    pub fn suspect_mtu(&mut self, shared: &Shared) {
        let profile = shared.tcp();
        if profile.mtu_probing.mode == ProbingMode::Off || !self.snd.syn_acked() {
            return;
        }
        let low = match &self.seldom().mtu {
            None => profile.mtu_probing.base_mss,
            Some(search) => (search.low / 2).max(profile.min_mss),
        };
        self.search_mtu_from(low);
        self.use_segments_of(self.agreed.path_mss.min(low));
    }

    fn search_mtu_from(&mut self, low: u16) {
        let high = self.agreed.send_mss;
        let low = low.min(high).min(self.agreed.path_mss);
        self.seldom_mut().mtu = Some(Search {
            low,
            high,
            probe: None,
        });
    }

    fn use_segments_of(&mut self, mss: u16) {
        self.agreed.path_mss = mss;
        self.congestion.set_smss(self.agreed.smss());
    }

    /// A probe, if there is something to find out and enough to send behind it.
    #[inline]
    pub fn mtu_probe(&self, shared: &Shared, cwnd: u32, pipe: u32) -> Option<Plan> {
        let search = self.seldom().mtu?;
        self.mtu_probe_of(&search, shared, cwnd, pipe)
    }

    fn mtu_probe_of(&self, search: &Search, shared: &Shared, cwnd: u32, pipe: u32) -> Option<Plan> {
        if search.probe.is_some() {
            return None;
        }
        let profile = &shared.tcp().mtu_probing;
        // No probe leaves that the first hop cannot take.
        if search.high.saturating_sub(search.low) < profile.threshold
            || middle(search) > self.agreed.link_mss
            || self.recovery.phase != Phase::Open
        {
            return None;
        }
        let smss = self.agreed.smss();
        let len = u32::from(middle(search).saturating_sub(self.agreed.options_len()));
        let start = self.snd.nxt;
        let queued = self.data_end().after(start);
        let offered = self.snd.una.plus(self.snd.wnd).after(start);
        let wanted = len + profile.behind * smss;
        let room = cwnd.saturating_sub(pipe);
        (queued >= wanted && offered >= wanted && room >= len).then_some(Plan {
            why: Why::MtuProbe,
            seq: start,
            len,
            flags: Flags::ACK,
            unit: 0,
        })
    }

    /// The probe is on its way.
    pub fn mtu_probe_sent(&mut self, plan: &Plan) {
        if let Some(search) = &mut self.seldom_mut().mtu {
            search.probe = Some((middle(search), plan.seq, plan.end()));
        }
    }

    /// Octets from `seq` on are sent again: if they were the probe's, it was too large. Its loss says nothing else
    /// about the path, though the window has been reduced as for any other.
    pub fn mtu_probe_lost(&mut self, seq: SeqNumber) {
        let Some(search) = self.seldom().mtu else {
            return;
        };
        if let Some((size, start, end)) = search.probe
            && seq.ge(start)
            && seq.lt(end)
        {
            self.seldom_mut().mtu = Some(Search {
                high: size - 1,
                probe: None,
                ..search
            });
        }
    }

    /// Everything before SND.UNA has arrived: the probe, too?
    pub fn mtu_probe_acknowledged(&mut self) {
        let Some(search) = self.seldom().mtu else {
            return;
        };
        if let Some((size, _, end)) = search.probe
            && self.snd.una.ge(end)
        {
            self.seldom_mut().mtu = Some(Search {
                low: size,
                probe: None,
                ..search
            });
            self.use_segments_of(size);
        }
    }
}

/// The size to try next.
fn middle(search: &Search) -> u16 {
    search.low + (search.high - search.low).div_ceil(2)
}
