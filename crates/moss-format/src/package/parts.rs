use std::io::{Read, Seek};

use super::check::{AtRecord, Inconsistent, Place};
use super::{ReadError, check};
use crate::content::{self, Slice};
use crate::layout::{self, Entry};
use crate::payload::{self, Decoder};
use crate::stone::{self, Located, Reader};
use crate::{Limits, Meta};

/// What a package holds beside the bytes of its files.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) meta: Meta,
    pub(super) layout: Records<Entry>,
    pub(super) slices: Records<Slice>,
    pub(super) content: Option<Located>,
    /// What is not understood, and how many of the others stand before it.
    pub(super) other: Vec<(usize, Located)>,
}

/// The records of a payload.
#[derive(Debug)]
pub(super) struct Records<T> {
    /// Where the payload's header begins; 0, where none can, when there is no
    /// such payload.
    pub(super) payload: u64,
    pub(super) records: Vec<T>,
}

impl<T> Records<T> {
    const NONE: Self = Self {
        payload: 0,
        records: Vec::new(),
    };

    pub(super) fn is_there(&self) -> bool {
        self.payload != 0
    }

    /// Names the payload in which a record contradicts.
    pub(super) fn at(&self, (record, what): AtRecord) -> Inconsistent {
        let place = Place {
            payload: self.payload,
            // Headers count records in 32 bits.
            record: Some(u32::try_from(record).unwrap_or(u32::MAX)),
        };
        Inconsistent { place, what }
    }
}

impl Parts {
    pub(super) fn read(reader: &mut Reader<impl Read + Seek>) -> Result<Self, ReadError> {
        let mut decoder = Decoder::new(*reader.limits());
        let (mut meta, mut layout, mut slices) = (None, None, None);
        let (mut content, mut other) = (None, Vec::new());
        let mut known = 0;
        for at in reader.payloads().to_vec() {
            if !at.header().is_known() {
                other.push((known, at));
                continue;
            }
            let first = match at.header().kind {
                payload::Kind::Meta => {
                    let encoded = reader.read(&at)?;
                    meta.replace(stone::decode_meta(&mut decoder, &encoded)?)
                        .is_none()
                }
                payload::Kind::Layout => layout
                    .replace(read_layout(reader, &mut decoder, &at)?)
                    .is_none(),
                payload::Kind::Index => slices
                    .replace(read_index(reader, &mut decoder, &at)?)
                    .is_none(),
                payload::Kind::Content => content.replace(at).is_none(),
                payload::Kind::Attributes | payload::Kind::Other(_) => {
                    other.push((known, at));
                    continue;
                }
            };
            if !first {
                return Err(ReadError::Twice {
                    offset: at.offset(),
                    kind: at.header().kind,
                });
            }
            known += 1;
        }
        let no_meta = ReadError::NoMeta {
            payloads: reader.payloads().len(),
            end: reader.end(),
        };
        Ok(Self {
            meta: meta.ok_or(no_meta)?,
            layout: layout.unwrap_or(Records::NONE),
            slices: slices.unwrap_or(Records::NONE),
            content,
            other,
        })
    }

    pub(super) fn check(&self, limits: &Limits) -> Result<(), Inconsistent> {
        let layout = &self.layout;
        check::layout(&layout.records, limits).map_err(|found| layout.at(found))?;
        check::files(self)
    }
}

fn read_layout(
    reader: &mut Reader<impl Read + Seek>,
    decoder: &mut Decoder,
    at: &Located,
) -> Result<Records<Entry>, stone::Error> {
    let encoded = reader.read(at)?;
    let plain = decoder.plain(&encoded)?;
    let payload = at.offset();
    let records = layout::decode(&plain, at.header().records)
        .map_err(|source| stone::Error::Layout { payload, source })?;
    Ok(Records { payload, records })
}

fn read_index(
    reader: &mut Reader<impl Read + Seek>,
    decoder: &mut Decoder,
    at: &Located,
) -> Result<Records<Slice>, stone::Error> {
    let encoded = reader.read(at)?;
    let plain = decoder.plain(&encoded)?;
    let payload = at.offset();
    let records = content::decode_index(&plain, at.header().records)
        .map_err(|source| stone::Error::Index { payload, source })?;
    Ok(Records { payload, records })
}
