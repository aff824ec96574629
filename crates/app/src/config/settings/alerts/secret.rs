//! Secrets of alerts: the value of a key, or the content of the file that the key with `_file` behind it names.

use std::path::Path;

use secrecy::SecretString;

use crate::config::settings::reader::{Reader, Reported};
use crate::config::settings::secret_file;

impl Reader<'_> {
    /// A secret, if there is one.
    pub(super) fn secret(&mut self, folder: &Path, name: &str) -> Result<Option<SecretString>, Reported> {
        let named = format!("{name}_file");
        match (self.is_set(name), self.is_set(&named)) {
            (true, true) => {
                self.refuse(
                    self.place(&named),
                    format!("{named} is set beside {name}, expected one of them"),
                );
                Err(Reported)
            }
            (true, false) => Ok(Some(self.raw(name).1.into())),
            (false, true) => match secret_file::read_secret(&folder.join(self.raw(&named).1)) {
                Ok(secret) => Ok(Some(secret)),
                Err(problem) => {
                    self.refuse(self.place(&named), format!("{named} is {problem}"));
                    Err(Reported)
                }
            },
            (false, false) => Ok(None),
        }
    }
}
