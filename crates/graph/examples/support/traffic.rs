//! Calls to an imagined service whose true templates are known: values for its parameters, popularity, errors,
//! answer shapes that operations share. Seeded; the same seed gives the same calls.
//!
//! Shared by the bench and by the tests; it knows nothing of the learner. [`super::score`] compares.

use std::collections::{BTreeMap, BTreeSet};

use probity_model::Template;
use probity_model::path::TemplateSegment;

/// Zipf exponent of operations and of values.
const POPULARITY: f64 = 1.0;
/// Calls answered with an error, of a thousand.
const ERRORS: u64 = 70;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Number,
    Uuid,
    Hex,
    Slug,
    Name,
    Email,
    Date,
    Code,
    Enum,
}

#[derive(Clone, Debug)]
pub struct TrueOperation {
    pub method: String,
    pub template: Template,
    /// What the document says of each variable: its kind where that follows from type or format, its enum's words.
    pub kinds: BTreeMap<String, ValueKind>,
    pub words: BTreeMap<String, Vec<String>>,
}

/// Who answers with the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// All sharing operations answer alike, as with `{"ok": true}` or an empty body.
    Pool,
    /// Each sharing operation answers like another one of the service, drawn at random.
    Copies,
    /// Each sharing operation answers like the operation most like it: same method, most segments in common.
    Siblings,
}

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub calls: usize,
    /// Operations that share a shape, of a thousand.
    pub sharing_permille: usize,
    pub sharing: Sharing,
    /// Shapes of each operation's good answers.
    pub variants: u64,
    /// A value always answers with the same variant, as where an optional field belongs to the object.
    pub variant_by_value: bool,
}

#[derive(Clone, Debug)]
pub struct Call {
    /// Index into the true operations.
    pub operation: usize,
    pub path: String,
    pub status: u16,
    pub shape: u64,
}

/// SplitMix64: small, seeded, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        items.get(self.below(items.len())).unwrap_or_else(|| unreachable!("lists here are not empty"))
    }
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn hash_text(text: &str, seed: u64) -> u64 {
    text.bytes().fold(mix(seed ^ 0x51), |hash, byte| mix(hash ^ u64::from(byte)))
}

/// Draws ranks by a Zipf law.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=count)
                .map(|rank| {
                    sum += (rank as f64).powf(-POPULARITY);
                    sum
                })
                .collect(),
        )
    }
    fn draw(&self, random: &mut Random) -> usize {
        let at = random.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum < at).min(self.0.len().saturating_sub(1))
    }
}

pub fn calls(operations: &[TrueOperation], scenario: Scenario, seed: u64) -> Vec<Call> {
    let mut random = Random::new(seed);
    let shapes = shapes(operations, scenario, &mut random);
    let mut order: Vec<usize> = (0..operations.len()).collect();
    random.shuffle(&mut order);
    let popularity = Zipf::new(order.len());
    let mut values = Values { seed, sizes: BTreeMap::new() };
    (0..scenario.calls)
        .map(|_| {
            let index = *order.get(popularity.draw(&mut random)).unwrap_or(&0);
            let operation = &operations[index];
            let varies = operation.template.segments().any(|s| matches!(s, TemplateSegment::Variable(_)));
            let status = status(operation, varies, &mut random);
            let path = values.path(operation, status == 404, &mut random);
            let shape = if status < 400 {
                let draw = if scenario.variant_by_value { hash_text(&path, seed) } else { random.next() };
                shapes[index] ^ if scenario.variants > 1 && draw % 10 < 4 { mix(0xa17) } else { 0 }
            } else {
                mix(u64::from(status))
            };
            Call { operation: index, path, status, shape }
        })
        .collect()
}

fn status(operation: &TrueOperation, varies: bool, random: &mut Random) -> u16 {
    if random.next() % 1000 >= ERRORS {
        return match operation.method.as_str() {
            "POST" => 201,
            "DELETE" => 204,
            _ => 200,
        };
    }
    match random.below(10) {
        0..5 if varies => 404,
        0..8 => 400,
        _ => 500,
    }
}

fn shapes(operations: &[TrueOperation], scenario: Scenario, random: &mut Random) -> Vec<u64> {
    let own: Vec<u64> = (0..operations.len()).map(|_| random.next()).collect();
    let mut shapes = own.clone();
    let mut order: Vec<usize> = (0..operations.len()).collect();
    random.shuffle(&mut order);
    let sharing = (operations.len() * scenario.sharing_permille).div_ceil(1000).max(2).min(operations.len());
    let pool = random.next();
    for &index in order.iter().take(sharing) {
        shapes[index] = match scenario.sharing {
            Sharing::Pool => pool,
            Sharing::Copies => own[random.below(own.len())],
            Sharing::Siblings => own[nearest(operations, index)],
        };
    }
    shapes
}

fn nearest(operations: &[TrueOperation], index: usize) -> usize {
    let of = |at: usize| -> Vec<&str> { operations[at].template.as_str().split('/').collect() };
    let mine = of(index);
    (0..operations.len())
        .filter(|other| *other != index && operations[*other].method == operations[index].method)
        .max_by_key(|other| {
            let theirs = of(*other);
            let common = mine.iter().zip(&theirs).filter(|(a, b)| a == b).count();
            (common * 4).saturating_sub(mine.len().abs_diff(theirs.len()))
        })
        .unwrap_or(index)
}

/// Values of parameters: one pool for each place in the tree of paths and, below a variable, for each parent.
struct Values {
    seed: u64,
    sizes: BTreeMap<u64, Zipf>,
}

impl Values {
    fn path(&mut self, operation: &TrueOperation, unknown: bool, random: &mut Random) -> String {
        let last =
            operation.template.segments().filter(|s| matches!(s, TemplateSegment::Variable(_))).count();
        let (mut place, mut parent) = (self.seed, 0);
        let mut path = String::new();
        let mut variables = 0;
        for segment in operation.template.segments() {
            path.push('/');
            match segment {
                TemplateSegment::Literal(text) => {
                    place = hash_text(text, place);
                    path.push_str(text);
                }
                TemplateSegment::Variable(name) => {
                    variables += 1;
                    place = mix(place ^ 0x7b);
                    let kind = kind_of(operation, name, place);
                    let rank = self.rank(place, variables, random);
                    let fresh = unknown && variables == last && kind != ValueKind::Enum;
                    let seed = if fresh { random.next() } else { mix(place ^ parent ^ mix(rank as u64)) };
                    let words = operation.words.get(name).map_or(&[] as &[String], Vec::as_slice);
                    let value = value(kind, words, place, rank, seed);
                    parent = hash_text(&value, parent);
                    path.push_str(&value);
                }
            }
        }
        path
    }

    fn rank(&mut self, place: u64, variables: usize, random: &mut Random) -> usize {
        let mut size = Random::new(place ^ 0x5126);
        let count = match variables {
            1 => *size.pick(&[6, 20, 60, 200, 600]),
            _ => *size.pick(&[3, 10, 30]),
        };
        self.sizes.entry(place).or_insert_with(|| Zipf::new(count)).draw(random)
    }
}

fn kind_of(operation: &TrueOperation, name: &str, place: u64) -> ValueKind {
    if operation.words.get(name).is_some_and(|words| !words.is_empty()) {
        return ValueKind::Enum;
    }
    if let Some(kind) = operation.kinds.get(name) {
        return *kind;
    }
    let lower = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let mut random = Random::new(place ^ 0x4b1d);
    use ValueKind::{Code, Date, Email, Enum, Hex, Name, Number, Slug, Uuid};
    if has(&["email"]) {
        Email
    } else if has(&["uuid", "guid"]) {
        Uuid
    } else if has(&["date", "since", "until"]) {
        Date
    } else if has(&["hash", "sha", "token", "digest", "fingerprint"]) {
        Hex
    } else if has(&["slug"]) {
        Slug
    } else if has(&["number", "page", "year", "index", "version", "size", "count"]) {
        Number
    } else if has(&["status", "state", "type", "kind", "format", "lang", "locale", "category", "scope"]) {
        Enum
    } else if has(&["code", "sku", "currency", "country", "symbol", "key"]) {
        *random.pick(&[Code, Code, Hex])
    } else if lower.ends_with("id") {
        *random.pick(&[Number, Number, Number, Uuid, Uuid, Hex, Hex, Code, Slug])
    } else if has(&["name", "user", "login", "owner", "org", "team", "account", "tag", "label", "branch"]) {
        *random.pick(&[Name, Name, Slug])
    } else {
        *random.pick(&[Number, Uuid, Hex, Slug, Slug, Name, Code, Enum])
    }
}

const ENUMS: &[&[&str]] = &[
    &["active", "closed", "pending"],
    &["draft", "published", "archived", "deleted"],
    &["en", "de", "fr", "es", "it", "pt"],
    &["json", "xml", "csv"],
    &["low", "medium", "high", "urgent"],
    &["day", "week", "month", "year"],
    &["basic", "standard", "premium"],
];
const NAMES: &[&str] = &[
    "alice", "bruno", "carla", "dmitri", "elena", "farid", "greta", "hugo", "ines", "jonas", "kamala",
    "liam", "mona", "nadia", "oscar", "petra", "quentin", "rosa", "samir", "tessa", "ugo", "vera", "walter",
    "xenia", "yusuf", "zoe", "amir", "bianca", "cyril", "dora", "emil", "fatima", "gustav", "hanna", "ivan",
    "julia", "karl", "lena", "milan", "nora", "omar", "paula", "rafael", "sofia", "tomas", "ursula",
    "viktor", "wanda", "yara", "zeno",
];
const WORDS: &[&str] = &[
    "red", "blue", "quiet", "harbour", "winter", "garden", "stone", "paper", "silver", "mountain", "river",
    "light", "summer", "guide", "first", "open", "travel", "kitchen", "music", "market", "north", "ocean",
    "bridge", "forest", "coffee", "design", "modern", "simple", "green", "house", "story", "night",
    "morning", "cloud", "field", "wooden", "golden", "little", "great", "island",
];

fn value(kind: ValueKind, words: &[String], place: u64, rank: usize, seed: u64) -> String {
    let mut random = Random::new(seed);
    match kind {
        ValueKind::Number => {
            let digits = *Random::new(place).pick(&[3usize, 4, 6, 8]);
            (1 + random.below(10usize.pow(digits as u32))).to_string()
        }
        ValueKind::Uuid => {
            let (a, b) = (random.next(), random.next());
            format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                a >> 32,
                a & 0xffff,
                b >> 52,
                b & 0xfff,
                b & 0xffff_ffff_ffff
            )
        }
        ValueKind::Hex => {
            let length = *Random::new(place).pick(&[12usize, 24, 40]);
            let text: String = (0..3).map(|_| format!("{:016x}", random.next())).collect();
            text.chars().take(length).collect()
        }
        ValueKind::Slug => {
            let count = 2 + random.below(3);
            let mut parts: Vec<String> = (0..count).map(|_| (*random.pick(WORDS)).to_owned()).collect();
            if random.below(4) == 0 {
                parts.push((1 + random.below(99)).to_string());
            }
            parts.join("-")
        }
        ValueKind::Name => {
            let (first, second) = (*random.pick(NAMES), *random.pick(NAMES));
            match Random::new(place).below(4) {
                0 => first.to_owned(),
                1 => format!("{first}.{second}"),
                2 => format!("{first}{}", 1 + random.below(99)),
                _ => format!("{first}-{second}"),
            }
        }
        ValueKind::Email => format!("{}.{}@example.com", random.pick(NAMES), random.pick(NAMES)),
        ValueKind::Date => {
            format!("20{:02}-{:02}-{:02}", 15 + random.below(12), 1 + random.below(12), 1 + random.below(28))
        }
        ValueKind::Code => {
            let letters: String = (0..3).map(|_| char::from(b'A' + random.below(26) as u8)).collect();
            match Random::new(place).below(3) {
                0 => format!("{letters}-{:04}", random.below(10_000)),
                1 => letters,
                _ => format!("{letters}{}", random.below(1000)),
            }
        }
        ValueKind::Enum if !words.is_empty() => words.get(rank % words.len()).cloned().unwrap_or_default(),
        ValueKind::Enum => {
            let set = *Random::new(place).pick(ENUMS);
            (*set.get(rank % set.len()).unwrap_or(&"other")).to_owned()
        }
    }
}

/// One of each (method, shape of the template); operations that no client can tell apart are one.
pub fn distinct(operations: Vec<TrueOperation>) -> Vec<TrueOperation> {
    let mut seen = BTreeSet::new();
    operations.into_iter().filter(|o| seen.insert((o.method.clone(), o.template.shape()))).collect()
}
