//! Project files in XML: `pom.xml`, `*.csproj`.

use roxmltree::{Document, Node};

use super::DetectError;

/// Most elements, texts and comments a file may have.
const MOST_NODES: u32 = 200_000;

/// Reads XML without any document type, and so without entities; says where it is wrong.
pub(super) fn parse<'a>(file: &str, text: &'a str) -> Result<Document<'a>, DetectError> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: false,
        nodes_limit: MOST_NODES,
        ..roxmltree::ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| {
        let error: String =
            error.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
        DetectError::Invalid(format!("`{file}` is not XML that can be read: {error}."))
    })
}

/// The first child element of this name, whatever its namespace.
pub(super) fn child<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Option<Node<'a, 'b>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

/// The text of an element below, named by its path.
pub(super) fn text<'a>(node: Node<'a, '_>, path: &[&str]) -> Option<&'a str> {
    let found = path.iter().try_fold(node, |node, name| child(node, name))?;
    found.text().map(str::trim).filter(|text| !text.is_empty())
}
