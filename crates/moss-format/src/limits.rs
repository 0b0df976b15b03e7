/// How much a reader accepts before it gives up on a file or a recipe.
///
/// The defaults are far above every real file and far below what hurts a
/// machine. Input beyond a limit is answered with an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file in bytes that is read into memory as a whole, as manifests
    /// and indexes are. 1 GiB by default.
    pub file: u64,
    /// Largest size in bytes, stored and plain, of one payload that is held in
    /// memory: every kind but content. 128 MiB by default.
    pub payload: u64,
    /// Largest sum in bytes of what the payloads that one reader decodes take
    /// in memory: their plain bytes, and 64 more for each record. 512 MiB by
    /// default; an index of 65,535 packages as they are takes a third of it.
    pub payloads: u64,
    /// Most records of one payload. 4,194,304 by default.
    pub records: u32,
    /// Longest path in bytes, below `/usr`, that is accepted as a place for a
    /// file. 3,072 by default: what the system can open, with room for the
    /// folder that the path lies in.
    pub path: usize,
    /// Largest plain size in bytes of a package's content, which is streamed.
    /// 64 GiB by default.
    pub content: u64,
    /// Most bytes that the files of one package have once they are unpacked.
    /// A file counts for every path that it is unpacked to, so this is not the
    /// size of the content. 64 GiB by default.
    pub unpacked: u64,
    /// Most files, links and folders that unpacking one package makes, with the
    /// folders on the way to them: one path can have hundreds. 4,194,304 by
    /// default.
    pub unpacked_paths: u64,
    /// Largest zstd window of content, as a power of two. 31 by default: writers
    /// make the window as large as the content, or larger. Address space is
    /// reserved for a window, memory is used only for what is decompressed.
    pub window_log: u32,
    /// Largest recipe in bytes. 1 MiB by default; real ones stay below 32 KiB.
    pub recipe: usize,
    /// Most collections of a recipe that stand within one another by their
    /// lines, and most that do so by their brackets. 32 by default; real ones
    /// need six.
    pub recipe_depth: usize,
    /// Most values of a recipe once its aliases are resolved, each anchor being
    /// a copy too, so that aliases of aliases cannot fill the memory. 100,000 by
    /// default; the largest real recipe has fewer than a thousand.
    pub recipe_values: usize,
    /// Most bytes of text that a recipe's anchors and aliases copy. 4 MiB by
    /// default.
    pub recipe_aliased: usize,
    /// Most findings that are listed for one recipe, of which real ones have a
    /// dozen. Where there are more, one more says how many; errors come first.
    /// 200 by default.
    pub recipe_findings: usize,
    /// Largest script in bytes once it is expanded. 16 MiB by default; scripts
    /// of real recipes stay below 64 KiB.
    pub script: usize,
    /// Most macros that stand within one another. 128 by default.
    pub script_depth: usize,
}

impl Limits {
    /// The defaults, for limits that are constants.
    pub const DEFAULT: Self = Self {
        file: 1 << 30,
        payload: 128 << 20,
        payloads: 512 << 20,
        records: 1 << 22,
        path: 3072,
        content: 64 << 30,
        unpacked: 64 << 30,
        unpacked_paths: 1 << 22,
        window_log: 31,
        recipe: 1 << 20,
        recipe_depth: 32,
        recipe_values: 100_000,
        recipe_aliased: 4 << 20,
        recipe_findings: 200,
        script: 16 << 20,
        script_depth: 128,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
