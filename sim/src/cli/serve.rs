//! `evilbit serve`: a scenario's network on a Linux tap, in real time, until SIGINT or SIGTERM.

use super::args::ServeArgs;
use super::out::Out;
use super::{BadInput, Exit};

/// Serves a scenario.
#[cfg(target_os = "linux")]
pub fn serve(args: &ServeArgs, out: &mut Out) -> Result<Exit, BadInput> {
    linux::serve(args, out)
}

/// Serves a scenario.
#[cfg(not(target_os = "linux"))]
pub fn serve(_: &ServeArgs, _: &mut Out) -> Result<Exit, BadInput> {
    Err(BadInput::say("serve needs a Linux tap interface", None))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use miette::Diagnostic;
    use signal_hook::consts::{SIGINT, SIGTERM};

    use super::*;
    use crate::cli::out::talk;
    use crate::cli::session;
    use crate::oracle::Watch;
    use crate::plan::{Plan, Scope};
    use crate::tap::clock::{self, Over};
    use crate::tap::{Place, Tap};
    use crate::view::{Wanted, log};
    use crate::world::Observer;

    fn refuse(error: &dyn Diagnostic) -> BadInput {
        let hint = error.help().map(|h| h.to_string());
        BadInput::say(error, hint.as_deref())
    }

    pub fn serve(args: &ServeArgs, out: &mut Out) -> Result<Exit, BadInput> {
        let scenario = session::load_one(&args.config, None)?;
        let place = Place::find(&scenario.plan).map_err(|e| refuse(&e))?;
        let plan = place.vacate(&scenario.plan);
        let stop = stop_on_signals().map_err(|e| BadInput::say(e, None))?;
        let mut watch = watch(&plan, args)?;
        let tap = Tap::open(&args.tap).map_err(|e| refuse(&e))?;
        configure(&tap, &place);
        announce(&plan, &place, &tap);
        let observer: &mut dyn Observer = match &mut watch {
            Some(watch) => watch,
            None => &mut (),
        };
        let (run, over) = clock::serve(&plan, &place, &tap, observer, &stop)
            .map_err(|e| BadInput::say(e, None))?;
        if over == Over::TapGone {
            talk(format_args!("{} was deleted", tap.name()));
        }
        let leaked: u64 = run.leaks.iter().map(|(_, leaks)| leaks.total()).sum();
        if let Some(watch) = watch {
            let leaks = run.leaks.iter().map(|(_, leaks)| leaks).collect();
            watch.finish(&leaks).map_err(|e| BadInput::say(e, None))?;
        }
        for (domain, text) in &run.crashes {
            talk(format_args!("{domain} crashed: {text}"));
        }
        out.line(format_args!(
            "served {} for {}.{:03}s: {} packets, {leaked} leaks",
            args.config.display(),
            run.end.0 / 1_000_000_000,
            run.end.0 / 1_000_000 % 1000,
            run.packets
        ));
        let held = leaked == 0 && run.crashes.is_empty() && run.internal_error.is_none();
        Ok(if held { Exit::Held } else { Exit::Failed })
    }

    /// Gives the interface the addresses of those whose place it takes; where that cannot be done, says how to do it.
    fn configure(tap: &Tap, place: &Place) {
        if let Err(error) = tap.configure(&place.addresses) {
            talk(format_args!(
                "cannot set {}'s address: {}",
                tap.name(),
                error.why
            ));
            talk(format_args!("  help: run it yourself: {}", error.command));
        }
    }

    /// Set by SIGINT and SIGTERM.
    fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, stop.clone())?;
        }
        Ok(stop)
    }

    /// Who writes capture and log, if one is wanted.
    fn watch(plan: &Plan, args: &ServeArgs) -> Result<Option<Watch>, BadInput> {
        if args.pcap.is_none() && !log::wanted() {
            return Ok(None);
        }
        let wanted = Wanted {
            pcap: args.pcap.clone(),
            ..Wanted::default()
        };
        let hint = Some("--pcap takes a file in a folder that is there");
        let watch = Watch::new(plan, Scope::Expect, &wanted);
        watch.map(Some).map_err(|e| BadInput::say(e, hint))
    }

    fn announce(plan: &Plan, place: &Place, tap: &Tap) {
        let servers = plan
            .machines
            .iter()
            .filter(|m| m.name != place.machine)
            .flat_map(|m| &m.domains);
        for domain in servers {
            let addresses: Vec<&str> = domain
                .vifs
                .iter()
                .flat_map(|v| &v.ip)
                .map(String::as_str)
                .collect();
            talk(format_args!(
                "{} ({}) at {}",
                domain.name,
                domain.guest,
                addresses.join(", ")
            ));
        }
        talk(format_args!(
            "you are {} on {}; Ctrl-C ends",
            place.addresses.join(", "),
            tap.name()
        ));
    }
}
