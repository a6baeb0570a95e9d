//! Settings: their names, the values that they take, and what each changes in the profile. A setting that no table has
//! does not exist; one that changes nothing says why it cannot matter.

use stack::profile::Profile;

use super::{Environment, Failure, Host, NoSuchSetting, freebsd, linux};

/// A setting.
pub struct Sysctl {
    pub name: &'static str,
    /// What it says before anybody has written it.
    pub initial: &'static str,
    pub effect: Effect,
}

/// What writing a setting does.
#[derive(Clone, Copy)]
pub enum Effect {
    /// The profile changes.
    Profile(fn(&mut Profile, Value<'_>) -> Result<(), BadValue>),
    /// The profile changes, and what was learned of peers is forgotten.
    ProfileThenForget(fn(&mut Profile, Value<'_>) -> Result<(), BadValue>),
    /// What was learned of peers is forgotten, whatever the value.
    ForgetPeers,
    /// Nothing changes; the table says why.
    Nothing,
}

/// Why a value is not taken.
pub type BadValue = &'static str;

/// A value as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a>(pub &'a str);

impl<'a> Value<'a> {
    /// The only word.
    pub fn word(self) -> &'a str {
        self.0
    }

    /// A number, decimal or with `0x`.
    pub fn number(self) -> Result<u64, BadValue> {
        number(self.0).ok_or("a number is needed")
    }

    /// A number between two bounds.
    pub fn between(self, least: u64, most: u64) -> Result<u64, BadValue> {
        let value = self.number()?;
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err("the number is out of range")
        }
    }

    /// A count of at most 255.
    pub fn count(self) -> Result<u8, BadValue> {
        self.between(0, 255).map(|value| value as u8)
    }

    /// 0, or something else.
    pub fn flag(self) -> Result<bool, BadValue> {
        Ok(self.number()? != 0)
    }

    /// Milliseconds, as nanoseconds; at most a year.
    pub fn milliseconds(self) -> Result<u64, BadValue> {
        const YEAR: u64 = 365 * 86_400 * 1_000;
        Ok(self.between(0, YEAR)? * stack::profile::MS)
    }

    /// Seconds, as nanoseconds; at most a year.
    pub fn seconds(self) -> Result<u64, BadValue> {
        Ok(self.between(0, 365 * 86_400)? * stack::profile::SEC)
    }

    /// Least, default and largest buffer, bytes.
    pub fn buffers(self) -> Result<[usize; 3], BadValue> {
        let mut sizes = self.0.split_whitespace().map(number);
        let mut next = || sizes.next().flatten().filter(|size| *size <= 1 << 30);
        let three = (next(), next(), next());
        match three {
            (Some(least), Some(default), Some(most)) if sizes.next().is_none() => {
                Ok([least as usize, default as usize, most as usize])
            }
            _ => Err("three sizes of at most 1 GiB are needed"),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The setting of a name, however it is written: `net/ipv4/x` is `net.ipv4.x`.
pub fn find(name: &str) -> Option<&'static Sysctl> {
    let dotted = if name.starts_with('/') {
        name.to_owned()
    } else {
        name.replace('/', ".")
    };
    let mut all = linux::SETTINGS.iter().chain(freebsd::SETTINGS);
    all.find(|setting| setting.name == dotted)
}

impl Environment {
    /// What a setting says now.
    pub fn value(&self, name: &str) -> Result<String, Failure> {
        let setting = find(name).ok_or_else(|| Failure::UnknownSysctl(name.to_owned()))?;
        let written = self.values.get(setting.name);
        Ok(written
            .cloned()
            .unwrap_or_else(|| setting.initial.to_owned()))
    }

    /// Writes a setting.
    pub fn set(&mut self, host: &mut dyn Host, name: &str, value: &str) -> Result<(), Failure> {
        let setting = find(name).ok_or_else(|| Failure::UnknownSysctl(name.to_owned()))?;
        let told = match setting.effect {
            Effect::Profile(apply) | Effect::ProfileThenForget(apply) => {
                apply(&mut self.profile, Value(value)).map_err(|why| Failure::BadValue {
                    name: setting.name.to_owned(),
                    value: value.to_owned(),
                    why,
                })?;
                let told = host.set_profile(self.profile());
                if let Effect::ProfileThenForget(_) = setting.effect {
                    host.forget_peers();
                }
                told
            }
            Effect::ForgetPeers => {
                host.forget_peers();
                Ok(())
            }
            Effect::Nothing => Ok(()),
        };
        self.values.insert(setting.name, value.to_owned());
        told.map_err(|NoSuchSetting| Failure::Untold {
            name: setting.name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Remembers what a setting says, for [`Environment::restore`].
    pub fn save(&mut self, name: &str) -> Result<(), Failure> {
        let setting = find(name).ok_or_else(|| Failure::UnknownSysctl(name.to_owned()))?;
        let value = self.value(name)?;
        self.saved.push((setting.name, value));
        Ok(())
    }

    /// Writes back what was saved last.
    pub fn restore(&mut self, host: &mut dyn Host) -> Result<(), Failure> {
        for (name, value) in std::mem::take(&mut self.saved) {
            self.set(host, name, &value)?;
        }
        Ok(())
    }

    /// Begins a new list of what is saved.
    pub fn forget_saved(&mut self) {
        self.saved.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal_and_in_range() {
        assert_eq!(Value("0x70403").number(), Ok(0x70403));
        assert_eq!(Value("12").between(0, 12), Ok(12));
        assert!(Value("13").between(0, 12).is_err());
        assert!(Value("-1").number().is_err() && Value("").number().is_err());
        assert_eq!(Value("1 2 3").buffers(), Ok([1, 2, 3]));
        assert!(Value("1 2").buffers().is_err() && Value("1 2 3 4").buffers().is_err());
    }

    #[test]
    fn no_name_is_in_both_tables_or_twice_in_one() {
        let all: Vec<_> = linux::SETTINGS.iter().chain(freebsd::SETTINGS).collect();
        for setting in &all {
            let same = all.iter().filter(|other| other.name == setting.name);
            assert_eq!(same.count(), 1, "{}", setting.name);
        }
    }

    #[test]
    fn the_initial_values_are_what_each_system_s_profile_says() {
        let tables = [
            (Profile::linux(), linux::SETTINGS),
            (Profile::freebsd(), freebsd::SETTINGS),
        ];
        for (booted, table) in tables {
            for setting in table {
                let (Effect::Profile(apply) | Effect::ProfileThenForget(apply)) = setting.effect
                else {
                    continue;
                };
                let mut profile = booted.clone();
                apply(&mut profile, Value(setting.initial)).expect(setting.name);
                assert_eq!(
                    format!("{profile:?}"),
                    format!("{booted:?}"),
                    "{} = {}",
                    setting.name,
                    setting.initial
                );
            }
        }
    }
}
