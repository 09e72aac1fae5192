use super::*;
use ParameterPlace::*;
use ParameterStyle::*;
use probity_model::Template;
use proptest::prelude::*;

const INTEGER: &str = r#"{"type":"integer","minimum":1}"#;
const LIST: &str = r#"{"type":"array","items":{"type":"integer"},"maxItems":3}"#;
const OBJECT: &str =
    r#"{"type":"object","properties":{"R":{"type":"integer"},"G":{"type":"integer"}},"required":["R"]}"#;
const TEXT: &str = r#"{"type":"string","minLength":1}"#;
const BOOLEAN: &str = r#"{"type":"boolean"}"#;
const UNION: &str = r#"{"type":["integer","string","null"],"enum":[7,"x",null]}"#;
const NESTED: &str = r#"{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"integer"}}},"l":{"type":"array","items":{"type":"integer"}}}}"#;
const ROWS: [&str; 7] = [INTEGER, LIST, OBJECT, TEXT, BOOLEAN, UNION, NESTED];

fn parameter(place: ParameterPlace, style: ParameterStyle, explode: bool, schema: u32) -> ParameterContract {
    ParameterContract {
        name: "p".to_owned(),
        place,
        required: true,
        style,
        explode,
        allow_reserved: false,
        allow_empty: false,
        content: None,
        schema: Some(schema),
    }
}

fn judge_with(
    parameters: Vec<ParameterContract>,
    path: &str,
    query: &str,
    headers: &[(&str, &str)],
) -> Vec<String> {
    let contract =
        Contract::new(&contract(&ROWS, OperationContract { parameters, ..OperationContract::default() }));
    let template = Template::new("/x/{p}");
    let header =
        |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| Cow::Borrowed(*value));
    rules(&contract.judge_head(Some(0), &Head { path, query, template: &template, header: &header }))
}

fn one(parameter: ParameterContract, value: &str) -> Vec<String> {
    match parameter.place {
        Path => judge_with(vec![parameter], &format!("/x/{value}"), "", &[]),
        Query => judge_with(vec![parameter], "/x/1", value, &[]),
        Header => judge_with(vec![parameter], "/x/1", "", &[("p", value)]),
        Cookie => judge_with(vec![parameter], "/x/1", "", &[("cookie", value)]),
    }
}

#[test]
fn every_style() {
    let (integer, list, object) = (0, 1, 2);
    for (place, style, explode, schema, good, bad) in [
        (Path, Simple, false, integer, vec!["5", "%35"], vec!["0", "x", "5.5", "%zz"]),
        (Path, Simple, false, list, vec!["3,4,5", "3"], vec!["3,x", "1,2,3,4"]),
        (Path, Simple, true, list, vec!["3,4,5"], vec!["3,x"]),
        (Path, Simple, false, object, vec!["R,100,G,200"], vec!["R", "R,x", "G,1", "R,1,X,2"]),
        (Path, Simple, true, object, vec!["R=100,G=200"], vec!["R=x", "G=1"]),
        (Path, Label, false, integer, vec![".5"], vec!["5", ".x"]),
        (Path, Label, false, list, vec![".3,4,5"], vec!["3,4", ".3,x"]),
        (Path, Label, true, list, vec![".3.4.5"], vec![".3.x"]),
        (Path, Label, false, object, vec![".R,100,G,200"], vec![".R,x"]),
        (Path, Label, true, object, vec![".R=100.G=200"], vec![".R=x"]),
        (Path, Matrix, false, integer, vec![";p=5"], vec!["5", ";q=5", ";p=x", ";p=5;p=6"]),
        (Path, Matrix, false, list, vec![";p=3,4,5"], vec![";p=3,x"]),
        (Path, Matrix, true, list, vec![";p=3;p=4"], vec![";p=3;p=x", ";q=3"]),
        (Path, Matrix, false, object, vec![";p=R,100,G,200"], vec![";p=R,x"]),
        (Path, Matrix, true, object, vec![";R=100;G=200"], vec![";R=x"]),
        (Query, Form, true, integer, vec!["p=5"], vec!["", "p=x", "p=5&p=6", "p="]),
        (Query, Form, true, list, vec!["p=3&p=4", "p=3"], vec!["p=3&p=x", "", "p=1&p=2&p=3&p=4"]),
        (Query, Form, false, list, vec!["p=3,4,5"], vec!["p=3,x", "p=3&p=4"]),
        (Query, Form, true, object, vec!["R=100&G=200"], vec!["R=x", "G=1"]),
        (Query, Form, false, object, vec!["p=R,100,G,200"], vec!["p=R,x", "p=R"]),
        (Query, SpaceDelimited, false, list, vec!["p=3%204%205", "p=3+4"], vec!["p=3%20x"]),
        (Query, PipeDelimited, false, list, vec!["p=3|4|5", "p=3%7C4"], vec!["p=3|x"]),
        (
            Query,
            DeepObject,
            true,
            object,
            vec!["p[R]=100&p[G]=200", "p%5BR%5D=1"],
            vec!["p[R]=x", "p[G]=1", "p[=1", "p[]=1"],
        ),
        (Query, DeepObject, true, 6, vec!["p[a][b]=1&p[l]=1&p[l]=2"], vec!["p[a][b]=x", "p[a]=1", "p[c]=1"]),
        (Header, Simple, false, integer, vec!["5"], vec!["x"]),
        (Header, Simple, false, list, vec!["3,4, 5"], vec!["3,x"]),
        (Header, Simple, false, object, vec!["R,100,G,200"], vec!["R,x"]),
        (Header, Simple, true, object, vec!["R=100,G=200"], vec!["R=x"]),
        (Cookie, Form, true, integer, vec!["a=b; p=5"], vec!["p=x", "a=b", "p=5; p=6"]),
        (Cookie, Form, false, list, vec!["p=3,4"], vec!["p=3,x"]),
        (Query, Form, true, 4, vec!["p=true", "p=false"], vec!["p=True", "p=1"]),
        (Query, Form, true, 5, vec!["p=7", "p=x", "p="], vec!["p=8", "p=y"]),
        (Query, Form, true, 3, vec!["p=7", "p=a+b%20c", "p=%C3%A9"], vec!["p=", "p=%ff", "p=%"]),
    ] {
        for value in good {
            let told = one(parameter(place, style, explode, schema), value);
            assert!(told.is_empty(), "{place:?} {style:?} {explode} {value}: {told:?}");
        }
        for value in bad {
            let told = one(parameter(place, style, explode, schema), value);
            assert!(!told.is_empty(), "{place:?} {style:?} {explode} {value}");
        }
    }
}

#[test]
fn names_what_is_wrong() {
    let query = |schema| parameter(Query, Form, true, schema);
    for (value, expected) in [
        ("", vec!["contract-parameter-missing p"]),
        ("p=x", vec!["contract-parameter-type p"]),
        ("p=0", vec!["contract-parameter-bounds p"]),
        ("p=5&p=6", vec!["contract-repeated-parameter p"]),
        ("p=5&debug=1", vec!["contract-unknown-parameter debug"]),
        ("p=5&eyJhbGciOiJIUzI1NiJ9=1", vec!["contract-unknown-parameter {name}"]),
        ("p=%zz", vec!["contract-parameter-syntax p"]),
    ] {
        assert_eq!(one(query(0), value), expected, "{value}");
    }
    let optional = ParameterContract { required: false, ..query(0) };
    assert!(one(optional.clone(), "").is_empty());
    let empty = ParameterContract { allow_empty: true, ..optional };
    assert!(one(empty, "p=").is_empty());
    let document = ParameterContract { content: Some("application/json".to_owned()), ..query(2) };
    assert!(one(document.clone(), "p=%7B%22R%22%3A1%7D").is_empty());
    assert_eq!(one(document.clone(), "p=%7B%22R%22%3A%22x%22%7D"), ["contract-parameter-type p/R"]);
    assert_eq!(one(document, "p=%7B"), ["contract-parameter-syntax p"]);
}

#[test]
fn finds_values_in_paths() {
    let named = |name: &str| ParameterContract { name: name.to_owned(), ..parameter(Path, Simple, false, 0) };
    let template = Template::new("/a/{x}/r-{y}.json/{z}-{w}");
    let names = ["x", "y", "z", "w"];
    let operation =
        OperationContract { parameters: names.map(named).to_vec(), ..OperationContract::default() };
    let contract = Contract::new(&contract(&ROWS, operation));
    let judge = |path: &str| {
        rules(
            &contract.judge_head(Some(0), &Head { path, query: "", template: &template, header: &no_header }),
        )
    };
    assert_eq!(judge("/a/1/r-2.json/3-4"), Vec::<String>::new());
    assert_eq!(
        judge("/a/x/r-y.json/3-z"),
        ["contract-parameter-type x", "contract-parameter-type y", "contract-parameter-type w"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn never_panics(path in "[/a-z0-9;=,.%\\[\\]]{0,30}", query in "[p&=%\\[\\]+,|a0-9RG ]{0,40}", which in 0u32..7) {
        let parameters = [Simple, Label, Matrix].into_iter().flat_map(|style| [true, false].map(|explode| parameter(Path, style, explode, which)));
        let queries = [Form, SpaceDelimited, PipeDelimited, DeepObject].into_iter().flat_map(|style| [true, false].map(|explode| parameter(Query, style, explode, which)));
        let _ = judge_with(parameters.chain(queries).collect(), &path, &query, &[]);
    }
}
