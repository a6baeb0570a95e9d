//! Files that are there whole or not at all: written beside their place, renamed when they are complete.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file in the making; dropped before [`OutFile::commit`] it leaves nothing.
#[derive(Debug)]
pub struct OutFile {
    to: PathBuf,
    beside: PathBuf,
    writer: BufWriter<File>,
    committed: bool,
}

impl OutFile {
    /// Begins a file that will be at `to`; its folder must be there.
    pub fn create(to: &Path) -> io::Result<OutFile> {
        let mut name = to.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let beside = to.with_file_name(name);
        let writer = BufWriter::new(File::create(&beside)?);
        Ok(OutFile {
            to: to.into(),
            beside,
            writer,
            committed: false,
        })
    }

    /// Puts the file in its place.
    pub fn commit(mut self) -> io::Result<()> {
        self.writer.flush()?;
        std::fs::rename(&self.beside, &self.to)?;
        self.committed = true;
        Ok(())
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody is left to tell; the file beside is all that could stay.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_committed_leaves_nothing() {
        let name = format!("evilbit-outfile-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let path = folder.join("x.pcapng");
        let mut file = OutFile::create(&path).expect("created");
        file.write_all(b"half").expect("written");
        drop(file);
        let entries = || std::fs::read_dir(&folder).expect("a folder").count();
        assert_eq!(entries(), 0);
        let mut file = OutFile::create(&path).expect("created");
        file.write_all(b"whole").expect("written");
        file.commit().expect("renamed");
        assert_eq!(entries(), 1);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
