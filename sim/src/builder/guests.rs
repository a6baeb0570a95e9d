//! Kernels of one's own, by name, beside the builtin ones.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use xenemu::abi::{Guest, Sink};
use xenemu::{DomainConfig, GuestFactory};

use crate::plan::DomainPlan;
use crate::world::{Builtin, GuestRegistry, guests};

/// Makes a guest at each boot of its domain.
pub type MakeGuest = dyn Fn(&DomainConfig, Rc<dyn Sink>) -> Box<dyn Guest> + Send + Sync;

/// Guests of one's own, and the builtin ones.
#[derive(Clone, Default)]
pub struct OwnGuests(pub BTreeMap<String, Arc<MakeGuest>>);

impl GuestRegistry for OwnGuests {
    fn domain(&self, plan: &DomainPlan) -> Result<(DomainConfig, GuestFactory), String> {
        let Some(make) = self.0.get(&plan.guest).cloned() else {
            return Builtin.domain(plan);
        };
        let factory: GuestFactory = Rc::new(move |config, sink| make(config, sink));
        Ok((guests::config(plan), factory))
    }
}
