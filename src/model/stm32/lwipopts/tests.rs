use super::*;

fn read(text: &str) -> File {
    File::read(text).expect("it can be read")
}

fn options(text: &str) -> Options {
    read(text).options(Version::V2_1).expect("it has values")
}

fn problem(text: &str) -> Problem {
    File::read(text).expect_err("it cannot be read").problem
}

#[test]
fn cubemx_gives_the_defaults_of_the_parameters() {
    assert_eq!(options(samples::CUBEMX), Options::default());
}

#[test]
fn comments_conditions_and_expressions_count_as_for_the_compiler() {
    let file = read(
        "#ifndef GUARD /* x */\n#define GUARD\n\
         /* #define TCP_MSS 100 */ // #define TCP_MSS 101\n\
         # define TCP_MSS (1500 /* MTU */ \\\n   - 40) // less headers\n\
         #if 0\n#define TCP_WND 1\n#elif TCP_MSS == 1460 && !defined(TCP_WND)\n\
         #define TCP_WND (4 * TCP_MSS)\n#else\n#define TCP_WND 2\n#endif\n\
         #ifdef NOBODY\n#error nobody\n#endif\n\
         #define TCP_SND_BUF 1\n#undef TCP_SND_BUF\n\
         #include \"other.h\"\n#define LWIP_ASSERT(x, y) do {} while (0)\n\
         #define NAME \"a /* no comment */ string\"\n#endif\n",
    );
    let options = file.options(Version::V2_1).expect("it has values");
    assert_eq!((options.tcp_mss, options.tcp_wnd, options.tcp_snd_buf), (1460, 5840, 2920));
    assert_eq!(options.tcp_snd_queuelen, 8);
    assert_eq!(file.includes(), [18]);
    let entries = file.entries();
    let name = entries.iter().find(|entry| entry.name == "NAME").expect("it is listed");
    assert_eq!(name.written, "\"a /* no comment */ string\"");
    assert_eq!((name.value, name.line, name.meaning), (None, 20, Meaning::Unknown));
}

#[test]
fn options_that_do_not_exist_are_explained() {
    let file = read(samples::ARTICLE_OPTIMISED);
    let invented: Vec<String> = file
        .entries()
        .into_iter()
        .filter(|entry| matches!(entry.meaning, Meaning::Invented(why) if !why.en.is_empty()))
        .map(|entry| entry.name)
        .collect();
    assert_eq!(
        invented,
        [
            "MEM_USE_POOLS_TCP",
            "PBUF_CHAIN_MAX",
            "PBUF_DMA_ALIGNMENT",
            "LWIP_TCP_NODELAY",
            "TCP_DELAYED_ACK_MAX",
            "TCP_DELAYED_ACK_MIN",
        ]
    );
    for (name, meaning) in [
        ("TCP_MSS", Meaning::Followed),
        ("NO_SYS", Meaning::Counted),
        ("CHECKSUM_GEN_IP", Meaning::Exists),
        ("CHECKSUM_BY_HARDWARE", Meaning::Port),
        ("MY_OWN", Meaning::Unknown),
    ] {
        assert_eq!(names::meaning(name), meaning, "{name}");
    }
}

#[test]
fn writing_keeps_comments_and_is_read_again_as_the_same() {
    let mut file = read(samples::CUBEMX);
    file.set_options(&Options::default()).expect("it can be written");
    assert_eq!(file.text(), samples::CUBEMX, "nothing changed, nothing is written");
    let changed =
        Options { tcp_wnd: 4_288, mem_size: 8_192, memp_num_pbuf: 4, ..Options::default() };
    file.set_options(&changed).expect("it can be written");
    assert!(file.text().contains("#define TCP_WND 4288 /* 2144 */\n"));
    assert!(
        file.text().contains(
            "#define MEMP_NUM_PBUF 4 /* descriptors of data that are not copied */\n#endif"
        )
    );
    let again = read(file.text());
    assert_eq!(again.options(Version::V2_1), Ok(changed));
    assert_eq!(again, file);
    for row in samples::ROWS {
        let mut file = read(&row.text());
        let wanted = Options { version: Version::V2_2, ..changed };
        file.set_options(&wanted).expect("it can be written");
        assert_eq!(read(file.text()).options(Version::V2_2), Ok(wanted));
    }
}

#[test]
fn a_flag_without_a_value_gets_one() {
    let mut file = read("#define TCP_MSS\n");
    let bad = ReadError { line: 1, problem: Problem::BadValue };
    assert_eq!(file.options(Version::V2_1), Err(bad));
    file.set("TCP_MSS", 1_000).expect("it can be written");
    assert_eq!(file.text(), "#define TCP_MSS 1000\n");
}

#[test]
fn rubbish_gives_an_error_and_not_a_hang() {
    assert_eq!(problem(&"#define A (((((\n".repeat(65_536)), Problem::FileTooLarge);
    assert_eq!(problem(&"x".repeat(1_000_000)), Problem::FileTooLarge);
    assert_eq!(problem(&"rubbish\n".repeat(30_000)), Problem::NotAHeader);
    assert_eq!(problem("\u{0}\u{1}"), Problem::NotText);
    assert_eq!(problem(""), Problem::NoDefines);
    assert_eq!(problem("/* never ends"), Problem::OpenComment);
    assert_eq!(problem("#if 1\n#define A\n"), Problem::OpenCondition);
    assert_eq!(problem("#endif\n"), Problem::NoCondition);
    assert_eq!(problem("#error no\n"), Problem::ErrorDirective);
    assert_eq!(problem("#define 1\n"), Problem::NoName);
    assert_eq!(problem(&"#if 1\n".repeat(100)), Problem::TooDeep);
    assert_eq!(
        problem(&format!("#if {}", "(".repeat(200_000))),
        Problem::Condition(NoValue::TooLarge)
    );
    let many: String = (0..9_000).map(|n| format!("#define A{n} 1\n")).collect();
    assert_eq!(problem(&many), Problem::TooManyDefines);
}

/// Each name doubles the one before: 2^60 tokens if somebody expanded them all.
#[test]
fn macros_that_explode_have_no_value() {
    let mut text = String::from("#define A0 1\n");
    for n in 1..40 {
        text += &format!("#define A{n} (A{} + A{})\n", n - 1, n - 1);
    }
    text += "#define TCP_MSS A39\n";
    let file = read(&text);
    assert_eq!(file.value("TCP_MSS"), Err(NoValue::TooLarge));
    assert!(file.entries().iter().any(|entry| entry.value.is_none()));
    assert!(File::read(&format!("{text}#if A39\n#endif\n")).is_err());
}

/// What random files are made of.
const PIECES: [&str; 36] = [
    "#define ",
    "TCP_MSS",
    "TCP_WND",
    " ",
    "\n",
    "(",
    ")",
    "4 * ",
    "1460",
    "/*",
    "*/",
    "//",
    "\\\n",
    "\\\r\n",
    "\"",
    "#if ",
    "#ifdef ",
    "#else\n",
    "#endif\n",
    "#elif ",
    "#undef ",
    "defined",
    "0x",
    "08",
    "é",
    "?",
    ":",
    "&&",
    "1 / 0",
    "<<",
    "99",
    "LWIP_MIN(",
    ",",
    "#",
    "#ifndef X\n",
    "MEM_SIZE 1600\n",
];

/// Pieces of real files in random order, and the files with bytes exchanged: never a panic, and
/// what can be read can be written and read again.
#[test]
fn no_text_makes_the_reader_fall_over() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let mut n_read = 0;
    for round in 0..6_000 {
        let text = if round % 2 == 0 {
            (0..next(40)).map(|_| PIECES[next(PIECES.len())]).collect::<String>()
        } else {
            let mut text = samples::CUBEMX.to_owned();
            for _ in 0..1 + next(4) {
                let at = (0..=next(text.len())).rev().find(|at| text.is_char_boundary(*at));
                let piece = PIECES[next(PIECES.len())];
                text.insert_str(at.expect("0 is one"), piece);
            }
            text
        };
        let Ok(mut file) = File::read(&text) else { continue };
        n_read += 1;
        let _ = file.entries();
        let _ = file.options(Version::V2_1);
        // A piece may hang on the value: then the file stays as it was.
        let done = file.set("TCP_MAXRTX", 7).and_then(|()| file.set("MEM_SIZE", 5_000));
        if done.is_err() {
            continue;
        }
        let again = read(file.text());
        assert_eq!(again.value("MEM_SIZE"), Ok(5_000), "{text:?}");
        assert_eq!(again, file);
    }
    assert!(1_000 < n_read, "{n_read} files were read");
}
