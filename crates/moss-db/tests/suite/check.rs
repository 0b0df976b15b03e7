use moss_db::{
    Environment, Error, Fault, Index, Indexed, Migration, Opener, Options, Schema, Table, Text,
};
use serde_json::{Value, json};

struct Sound {
    plain: Table<u64, String>,
    packages: Indexed<u64, String>,
    _by_name: Index<String, u64>,
}

impl Schema for Sound {
    const NAME: &'static str = "checked";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        let mut packages = opener.indexed("packages");
        let by_name = packages.index("by_name", |_, name: &String| vec![name.clone()]);
        let packages = packages.finish();
        Self {
            plain: opener.table("plain"),
            packages,
            _by_name: by_name,
        }
    }
}

/// The same tables as somebody writes them who does not keep to their forms.
struct Careless {
    plain: Table<Text<u8>, Value>,
    packages: Table<u64, Value>,
    strange: Table<u64, Value>,
}

impl Schema for Careless {
    const NAME: &'static str = "checked";
    const MIGRATIONS: &'static [Migration] = &[];

    fn declare(opener: &mut Opener) -> Self {
        Self {
            plain: opener.table("plain"),
            packages: opener.table("packages"),
            strange: opener.table("strange"),
        }
    }
}

#[test]
fn a_check_names_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Environment::open::<Sound>(folder.path(), &Options::default()).unwrap();
    {
        let (environment, tables) = open();
        environment
            .write(|txn| {
                for key in 1..=3 {
                    tables.plain.put(txn, &key, &"row".to_owned())?;
                    tables.packages.put(txn, &key, &format!("package-{key}"))?;
                }
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(environment.check().unwrap(), []);
    }
    {
        let options = Options::default();
        let (environment, tables) = Environment::open::<Careless>(folder.path(), &options).unwrap();
        environment
            .write(|txn| {
                tables.plain.put(txn, &7, &json!("a key of another kind"))?;
                tables.packages.put(txn, &1, &json!(["no", "name"]))?;
                tables.packages.put(txn, &2, &json!("renamed"))?;
                tables.strange.put(txn, &1, &json!(null))
            })
            .unwrap();
    }
    let (environment, tables) = open();
    let found = environment.check().unwrap();
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    let rows = |table: &str| {
        let of = |fault: &&Fault| matches!(fault, Fault::Row { table: t, .. } if *t == table);
        found.iter().filter(of).count()
    };
    assert_eq!((rows("plain"), rows("packages")), (1, 1), "{said:#?}");
    let named = |text: &str| said.iter().any(|said| said.contains(text));
    assert!(
        named("the index `by_name` lacks the entry `renamed"),
        "{said:#?}"
    );
    assert!(named("has the entry `package-1"), "{said:#?}");
    assert!(named("has the entry `package-2"), "{said:#?}");
    assert!(named("the table `strange` is nobody's"), "{said:#?}");
    assert_eq!(found.len(), 6, "{said:#?}");
    // What cannot be read, or is not indexed as it should be, can be torn out.
    let torn = environment.write(|txn| {
        tables.packages.tear_out(txn, &9)?;
        tables.packages.tear_out(txn, &2)?;
        tables.packages.tear_out(txn, &1)
    });
    assert_eq!(torn.unwrap().as_deref(), Some(&br#"["no","name"]"#[..]));
    let left = environment.check().unwrap();
    let of_packages = |fault: &&Fault| !fault.to_string().contains("strange");
    let left: Vec<_> = left.iter().filter(of_packages).collect();
    assert!(
        matches!(left[..], [Fault::Row { table: "plain", .. }]),
        "{left:?}"
    );
    // What is sound is read as before.
    let third = environment
        .read(|txn| tables.packages.find(txn, &3))
        .unwrap();
    assert_eq!(third.as_deref(), Some("package-3"));
}
