//! `docs/protocol.md` and the types say the same: every message is made from the types, and its
//! JSON must stand in the document word for word, under its tag.

mod document;
mod messages;
mod tables;

use document::Document;

/// Every message of the protocol, once.
#[test]
fn the_document_shows_every_message_as_the_types_write_it() {
    let document = Document::read();
    let messages = messages::all();
    for message in &messages {
        let shown = document.blocks(message.tag);
        let count = shown.len();
        assert_eq!(
            count, 1,
            "docs/protocol.md has {count} blocks ```json {}```, it takes one",
            message.tag
        );
        assert_eq!(
            shown[0], message.json,
            "the block ```json {}``` of docs/protocol.md is not what the type writes",
            message.tag
        );
    }
    let known: Vec<&str> = messages.iter().map(|message| message.tag).collect();
    for tag in document.tags() {
        assert!(
            known.contains(&tag),
            "docs/protocol.md has a block ```json {tag}``` that no message belongs to"
        );
    }
}

#[test]
fn every_message_reads_back() {
    for message in messages::all() {
        let again = (message.read_back)(&message.json).unwrap();
        assert_eq!(again, message.json, "{}", message.tag);
    }
}

#[test]
fn the_json_of_every_message() {
    for message in messages::all() {
        insta::assert_snapshot!(message.tag, message.json);
    }
}

/// A sender that is newer than the receiver must not have its order half understood.
#[test]
fn orders_with_unknown_keys_are_refused() {
    for message in messages::all() {
        let more = message.json.replacen('{', "{\"surprise\": 1,", 1);
        let read = (message.read_back)(&more);
        match message.growth {
            messages::Growth::Refused => {
                let error = read.expect_err(message.tag).to_string();
                assert!(
                    error.contains("unknown field `surprise`"),
                    "{}: {error}",
                    message.tag
                );
            }
            // Answers may grow: who reads them leaves out what it does not know.
            messages::Growth::Ignored => {
                assert_eq!(read.unwrap(), message.json, "{}", message.tag);
            }
        }
    }
}

#[test]
fn the_documents_tables_list_every_code_scope_and_reason() {
    let document = Document::read();
    for row in tables::rows() {
        assert!(
            document.has_line(&row),
            "docs/protocol.md lacks a line that begins with:\n{row}"
        );
    }
}

/// The routers are the truth; a route that the document does not name is found here.
#[test]
fn the_document_names_every_route() {
    let document = Document::read();
    for router in ["bot/src/http.rs", "builder/src/http.rs", "repo/src/http.rs"] {
        let routes = document::routes(router);
        assert!(routes.len() > 3, "{router} has routes: {routes:?}");
        for route in routes {
            assert!(
                document.mentions(&route),
                "docs/protocol.md does not name {route} of {router}"
            );
        }
    }
}
