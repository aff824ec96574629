//! The ResourceSource port on sysinfo and the process files of Linux.
