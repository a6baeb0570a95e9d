//! Files that are there whole or not at all: written beside their place, renamed when they are complete.
//!
//! What is not an ordinary file (a pipe, `/dev/stdout`) has no place beside it and is written as it is.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file in the making; dropped before [`OutFile::commit`] it leaves nothing.
#[derive(Debug)]
pub struct OutFile {
    writer: BufWriter<File>,
    /// Where it is written and where it shall be, while both differ.
    moves: Option<(PathBuf, PathBuf)>,
}

impl OutFile {
    /// Begins a file that will be at `to`; its folder must be there.
    pub fn create(to: &Path) -> io::Result<OutFile> {
        let (file, moves) = match fs::metadata(to) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => (File::options().write(true).open(to)?, None),
            Ok(_) => Self::beside(fs::canonicalize(to)?)?,
            Err(_) => Self::beside(to.into())?,
        };
        Ok(OutFile {
            writer: BufWriter::new(file),
            moves,
        })
    }

    fn beside(to: PathBuf) -> io::Result<(File, Option<(PathBuf, PathBuf)>)> {
        let mut name = to.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let beside = to.with_file_name(name);
        Ok((File::create(&beside)?, Some((beside, to))))
    }

    /// Puts the file in its place.
    pub fn commit(mut self) -> io::Result<()> {
        self.writer.flush()?;
        if let Some((beside, to)) = &self.moves {
            fs::rename(beside, to)?;
            self.moves = None;
        }
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
        if let Some((beside, _)) = &self.moves {
            // Nobody is left to tell; the file beside is all that could stay.
            let _ = fs::remove_file(beside);
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

    #[cfg(unix)]
    #[test]
    fn a_device_stays_a_device_and_its_errors_are_told() {
        use std::os::unix::fs::FileTypeExt;
        let full = Path::new("/dev/full");
        let Ok(mut file) = OutFile::create(full) else {
            return;
        };
        file.write_all(b"too much").expect("buffered");
        assert_eq!(
            file.commit().map_err(|e| e.kind()),
            Err(io::ErrorKind::StorageFull)
        );
        let kind = fs::metadata(full).expect("still there").file_type();
        assert!(kind.is_char_device() && !Path::new("/dev/full.part").exists());
    }
}
