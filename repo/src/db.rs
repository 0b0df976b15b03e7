//! What vessel remembers: imports, and per channel its packages, histories, streams and tags.
//!
//! Files in the public tree follow from these tables and can be made again from them; never the
//! other way round.

mod channel;
mod import;
mod key;

pub(crate) use channel::Standing;
pub(crate) use import::{Accepted, ImportRecord, Next, NotStepped};

use api::id::{Architecture, ChannelName, HistoryId, ImportId, StreamName, TagName};
use moss_db::{Index, Indexed, Migration, Opener, Schema, Sequence, Table, Text};

use crate::domain::history::History;
use crate::domain::package::{Name, Package};
use key::ImportKey;

/// Channel, and what the package takes in it.
type PackageKey = (Text<ChannelName>, (Text<Architecture>, Text<Name>));

/// Channel, and a number that grows with every publication.
type HistoryKey = (Text<ChannelName>, u64);

/// The tables.
pub(crate) struct Tables {
    imports: Indexed<ImportKey, ImportRecord>,
    /// Imports that are not final, by channel, in the order in which they arrived.
    open_imports: Index<(Text<ChannelName>, u64), ImportKey>,
    arrivals: Sequence,
    packages: Table<PackageKey, Package>,
    histories: Indexed<HistoryKey, History>,
    histories_by_id: Index<(Text<ChannelName>, Text<HistoryId>), HistoryKey>,
    publications: Sequence,
    streams: Table<(Text<ChannelName>, Text<StreamName>), HistoryId>,
    tags: Table<(Text<ChannelName>, Text<TagName>), HistoryId>,
}

impl Schema for Tables {
    const NAME: &'static str = "vessel";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        let mut imports = opener.indexed("imports");
        let open_imports = imports.index("imports_open", |_: &ImportId, record: &ImportRecord| {
            let is_open = !record.state.is_final();
            let entry = || (record.order.channel.clone(), record.arrival);
            is_open.then(entry).into_iter().collect()
        });
        let imports = imports.finish();
        let mut histories = opener.indexed("histories");
        let histories_by_id = histories.index(
            "histories_by_id",
            |(channel, _): &(ChannelName, u64), history: &History| {
                vec![(channel.clone(), history.id.clone())]
            },
        );
        let histories = histories.finish();
        Self {
            imports,
            open_imports,
            arrivals: opener.sequence("arrivals"),
            packages: opener.table("packages"),
            histories,
            histories_by_id,
            publications: opener.sequence("publications"),
            streams: opener.table("streams"),
            tags: opener.table("tags"),
        }
    }
}
