use super::*;

const MYSQL: &str = "-- MariaDB dump\n\
        CREATE TABLE `volumes` (\n  `id` varchar(36) NOT NULL,\n  `size` int(11) DEFAULT NULL,\n  `display_name` varchar(255),\n  \
        PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n\
        INSERT INTO `volumes` VALUES\n('one',1,'it''s \\'a\\'\\nb); INSERT'),\n('two',NULL,'');\n\
        CREATE TABLE `empty` (\n  `id` int(11)\n);\n\
        INSERT INTO `empty` VALUES (7);\n-- Dump completed on 2026-11-30\n";

const POSTGRES: &str = "CREATE TABLE public.volumes (\n    id character varying(36),\n);\n\
        COPY public.volumes (id, size, \"display_name\") FROM stdin;\none\t1\tit's 'a'\\nb); INSERT\ntwo\t\\N\t\n\\.\n\
        COPY public.empty (id) FROM stdin;\n7\n\\.\n--\n-- PostgreSQL database dump complete\n--\n\n";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn both_kinds_of_dumps_give_the_same_rows() {
    for dump in [MYSQL, POSTGRES] {
        let dump = Dump::parse(dump.as_bytes()).unwrap();
        assert_eq!(
            dump.rows("volumes", &["display_name", "size"]).unwrap(),
            [
                vec![some("it's 'a'\nb); INSERT"), some("1")],
                vec![some(""), None]
            ]
        );
        assert_eq!(dump.rows("empty", &["id"]).unwrap(), [vec![some("7")]]);
    }
}

#[test]
fn a_dump_that_cannot_be_trusted_is_refused_with_what_to_do() {
    let cut = |dump: &str| dump.get(..dump.len() - 60).unwrap().as_bytes().to_vec();
    let twice = MYSQL.replace("`empty`", "`volumes`");
    let complete = MYSQL.replace("` VALUES (7)", "` (`id`) VALUES (7)");
    let short = MYSQL.replace("('two',NULL,'')", "('two',NULL)");
    let ignore = MYSQL.replace("INSERT INTO `empty`", "INSERT  IGNORE INTO `empty`");
    let replace = MYSQL.replace("INSERT INTO `empty`", "REPLACE INTO `empty`");
    let inserts = format!("INSERT INTO public.volumes VALUES ('one');\n{POSTGRES}");
    for (dump, word) in [
        (cut(MYSQL), "cut off"),
        (cut(POSTGRES), "cut off"),
        (b"PGDMP\x01".to_vec(), "pg_restore"),
        (vec![0x1f, 0x8b, 8], "gunzip"),
        (vec![0xff, 0xfe], "UTF-8"),
        (twice.into_bytes(), "twice"),
        (complete.into_bytes(), "--complete-insert"),
        (short.into_bytes(), "2 values for 3 columns"),
        (inserts.into_bytes(), "--inserts"),
        (ignore.into_bytes(), "--insert-ignore"),
        (replace.into_bytes(), "--replace"),
    ] {
        let error = format!("{:#}", Dump::parse(&dump).unwrap_err());
        assert!(error.contains(word), "{word}: {error}");
    }
    let dump = Dump::parse(MYSQL.as_bytes()).unwrap();
    let error = dump.rows("volumes", &["host"]).unwrap_err().to_string();
    assert!(error.contains("no column host"), "{error}");
    assert!(dump.rows("snapshots", &[]).is_err());
}
