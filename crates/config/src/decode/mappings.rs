//! Subject mappings of the global account and of others.

use martlet_subject::{Mappings, is_valid_pattern};

use super::Decoder;
use crate::lang::{Kind, Span, Value};
use crate::options::{Destination, Mapping};

impl Decoder<'_> {
    /// A `mappings` map; each entry that stands alone is checked as the router will use it.
    // spec: CFG-128 CFG-276
    pub(super) fn mappings(&mut self, value: &Value) -> Vec<Mapping> {
        let mut mappings = Vec::new();
        let Some(map) = self.map("mappings", value) else { return mappings };
        for entry in map.iter() {
            let (source, value) = (&entry.key, &entry.value);
            if !is_valid_pattern(source.as_bytes()) {
                self.findings.error(&value.span, format!("Subject {source:?} is not a valid subject"));
                continue;
            }
            let before = self.findings.errors.len();
            let destinations = match &value.kind {
                Kind::String(subject) => {
                    vec![Destination { subject: subject.clone(), weight: 100, cluster: None }]
                }
                Kind::Array(items) => items.iter().filter_map(|item| self.destination(item)).collect(),
                _ => self.destination(value).into_iter().collect(),
            };
            if self.findings.errors.len() == before {
                self.check_mapping(source, value, &destinations);
                mappings.push(Mapping { source: source.clone(), destinations });
            }
        }
        mappings
    }

    fn check_mapping(&mut self, source: &str, value: &Value, destinations: &[Destination]) {
        let listed = destinations.iter().map(|d| (d.subject.as_str(), d.weight, d.cluster.as_deref()));
        let Err(error) = Mappings::new().add(source, listed) else { return };
        let text = match &value.kind {
            Kind::String(subject) => format!("Error adding mapping for {source:?} to {subject:?} : {error}"),
            _ => format!("Error adding mapping for {source:?} : {error}"),
        };
        self.findings.error(&value.span, text);
    }

    /// `{destination, weight, cluster}`
    // spec: CFG-277 CFG-278 CFG-279
    fn destination(&mut self, value: &Value) -> Option<Destination> {
        let Kind::Map(map) = &value.kind else {
            let text = format!("Expected an entry for the mapping destination, got {}", value.described());
            self.findings.error(&value.span, text);
            return None;
        };
        let (mut subject, mut weight, mut cluster, mut has_weight) = (String::new(), None, None, false);
        for entry in map.iter() {
            match entry.key.to_ascii_lowercase().as_str() {
                key @ ("dest" | "destination") => subject = self.string(key, &entry.value).unwrap_or_default(),
                "weight" => {
                    has_weight = true;
                    weight = self.weight(&entry.value);
                }
                "cluster" => cluster = self.text("cluster", &entry.value),
                _ => {
                    let text = format!("Unknown field {:?} for mapping destination", entry.key);
                    self.findings.error(&entry.value.span, text);
                }
            }
        }
        let place = map.iter().next().map_or(&value.span, |field| &field.value.span);
        if !has_weight {
            self.missing_weight(place, &subject);
        }
        if subject.is_empty() {
            self.findings.error(place, "Missing destination for mapping");
        }
        Some(Destination { subject, weight: weight?, cluster })
    }

    fn missing_weight(&mut self, span: &Span, subject: &str) {
        self.findings.error(span, format!("Missing weight for mapping destination {subject:?}"));
    }

    fn weight(&mut self, value: &Value) -> Option<u8> {
        let shown = match &value.kind {
            Kind::Integer(weight) => weight.to_string(),
            Kind::String(text) => text.strip_suffix('%').unwrap_or(text).to_owned(),
            _ => return self.findings.wrong_type("weight", "0 to 100 or a percentage such as \"50%\"", value),
        };
        let weight = shown.parse().ok().filter(|weight| *weight <= 100);
        if weight.is_none() {
            let text = format!("Invalid weight {shown:?} for mapping destination, expected 0 to 100");
            self.findings.error(&value.span, text);
        }
        weight
    }
}
