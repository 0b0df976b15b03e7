/// How much a reader accepts before it gives up on a file.
///
/// The defaults are far above every real file and far below what hurts a
/// machine. A file beyond a limit is answered with an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest size in bytes, stored and plain, of one payload that is held in
    /// memory: every kind but content. 128 MiB by default.
    pub payload: u64,
    /// Largest sum in bytes of the plain payloads that one reader decodes in
    /// memory. 1 GiB by default.
    pub payloads: u64,
    /// Most records of one payload. 4,194,304 by default.
    pub records: u32,
    /// Largest plain size in bytes of a package's content, which is streamed.
    /// 64 GiB by default.
    pub content: u64,
    /// Largest zstd window of content, as a power of two. 31 by default: writers
    /// make the window as large as the content, or larger. Address space is
    /// reserved for a window, memory is used only for what is decompressed.
    pub window_log: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload: 128 << 20,
            payloads: 1 << 30,
            records: 1 << 22,
            content: 64 << 30,
            window_log: 31,
        }
    }
}
