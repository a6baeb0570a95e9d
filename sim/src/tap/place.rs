//! Which machine of a scenario the outside takes the place of.

use miette::Diagnostic;
use thiserror::Error;

use crate::plan::{MachinePlan, Plan};

/// Where the outside stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The machine that gives way.
    pub machine: String,
    /// Its only link.
    pub link: String,
    /// The addresses of its domains, with prefix lengths.
    pub addresses: Vec<String>,
}

/// Why a scenario has no place for the outside.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
pub enum PlaceError {
    #[error("no machine can give way to the tap")]
    #[diagnostic(help(
        "the tap takes the place of the machine whose domains are all `script` or `raw` guests"
    ))]
    None,
    #[error("several machines could give way to the tap: {}", .0.join(", "))]
    #[diagnostic(help("leave one machine whose domains are all `script` or `raw` guests"))]
    Several(Vec<String>),
    #[error("machine {0:?} has not exactly one link for the tap to be")]
    #[diagnostic(help("give it one `link`"))]
    Links(String),
}

impl Place {
    /// The place in a plan.
    pub fn find(plan: &Plan) -> Result<Place, PlaceError> {
        let candidates: Vec<&MachinePlan> = plan.machines.iter().filter(|m| gives_way(m)).collect();
        let machine = match candidates.as_slice() {
            [] => return Err(PlaceError::None),
            [machine] => *machine,
            several => {
                return Err(PlaceError::Several(
                    several.iter().map(|m| m.name.clone()).collect(),
                ));
            }
        };
        let ends_here = |l: &&crate::plan::LinkPlan| l.a == machine.name || l.b == machine.name;
        let mut links = plan.links.iter().filter(ends_here);
        let (Some(link), None) = (links.next(), links.next()) else {
            return Err(PlaceError::Links(machine.name.clone()));
        };
        let vifs = machine.domains.iter().flat_map(|d| &d.vifs);
        Ok(Place {
            machine: machine.name.clone(),
            link: link.name.clone(),
            addresses: vifs.flat_map(|v| v.ip.iter().cloned()).collect(),
        })
    }

    /// The plan without its script and those who spoke it: whoever is outside does what there is to do.
    pub fn vacate(&self, plan: &Plan) -> Plan {
        let mut vacated = Plan {
            timeline: Vec::new(),
            everies: Vec::new(),
            whens: Vec::new(),
            expectations: Vec::new(),
            ..plan.clone()
        };
        let mut machines = vacated.machines.iter_mut();
        if let Some(machine) = machines.find(|m| m.name == self.machine) {
            machine.domains.clear();
        }
        vacated
    }
}

fn gives_way(machine: &MachinePlan) -> bool {
    let scripted = |guest: &str| guest == "script" || guest == "raw";
    !machine.domains.is_empty() && machine.domains.iter().all(|d| scripted(&d.guest))
}
