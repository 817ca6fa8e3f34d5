//! The sentences of the tour in one language, with places for facts.
//!
//! A sentence has no number of its own: `{syn.seq}` stands for what the facts of its step say there, and a place without a
//! fact is a mistake of this crate.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A language that the tour speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    English,
    /// 한국어.
    Korean,
}

impl Language {
    /// The language of a locale's name, as `ko_KR.UTF-8`; English for all but Korean.
    pub fn of_locale(locale: &str) -> Language {
        let language = locale.split(['_', '.', '@']).next().unwrap_or_default();
        if language == "ko" { Language::Korean } else { Language::English }
    }
}

/// All sentences of a language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    /// Before the first step.
    pub(crate) welcome: String,
    /// After the last.
    pub(crate) farewell: String,
    /// What a reader is asked between two steps.
    pub(crate) prompt: String,
    /// Titles of tables and columns.
    words: BTreeMap<String, String>,
    /// What hosts are called.
    hosts: BTreeMap<String, String>,
    /// By step, then by the sentence's name.
    steps: BTreeMap<String, BTreeMap<String, String>>,
}

impl Texts {
    /// Those of a language.
    pub(crate) fn of(language: Language) -> Texts {
        let text = match language {
            Language::English => include_str!("../texts/en.toml"),
            Language::Korean => include_str!("../texts/ko.toml"),
        };
        toml::from_str(text).expect("the texts are in their form")
    }

    /// A word of tables.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.words.get(name).unwrap_or_else(|| panic!("there is no word for {name}"))
    }

    /// What a host is called.
    pub(crate) fn host<'a>(&'a self, name: &'a str) -> &'a str {
        self.hosts.get(name).map_or(name, String::as_str)
    }

    /// A sentence of a step with its facts; hosts by their names.
    pub(crate) fn sentence(&self, step: &str, name: &str, facts: &Value) -> String {
        let template = self.steps.get(step).and_then(|sentences| sentences.get(name));
        let template = template.unwrap_or_else(|| panic!("step {step} has no sentence {name}"));
        self.fill(template, facts)
    }

    /// Puts facts into their places.
    fn fill(&self, template: &str, facts: &Value) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (path, tail) = after.split_once('}').expect("a place in a sentence is closed");
            let fact = facts.pointer(&format!("/{}", path.replace('.', "/")));
            let fact = fact.unwrap_or_else(|| panic!("there is no fact {path}"));
            filled += before;
            filled += &self.told(fact);
            rest = tail;
        }
        filled + rest
    }

    /// A fact as it stands in a sentence.
    fn told(&self, fact: &Value) -> String {
        match fact {
            Value::String(text) => self.host(text).to_owned(),
            // 60000.0 of a time is 60000 to a reader.
            Value::Number(number) => match number.as_f64() {
                Some(value) if number.is_f64() => value.to_string(),
                Some(_) | None => number.to_string(),
            },
            Value::Array(facts) => facts.iter().map(|fact| self.told(fact)).collect::<Vec<_>>().join(", "),
            Value::Null | Value::Bool(_) | Value::Object(_) => panic!("{fact} cannot stand in a sentence"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_language_is_that_of_the_locale() {
        for locale in ["ko", "ko_KR.UTF-8", "ko.UTF-8"] {
            assert_eq!(Language::of_locale(locale), Language::Korean);
        }
        for locale in ["", "C", "C.UTF-8", "en_US.UTF-8", "kok_IN"] {
            assert_eq!(Language::of_locale(locale), Language::English);
        }
    }

    #[test]
    fn facts_come_into_their_places() {
        let texts = Texts::of(Language::English);
        let facts = json!({ "sizes": [1460, 620], "lost": { "at_ms": 10.0 }, "who": "client-a" });
        let filled = texts.fill("{sizes} bytes after {lost.at_ms} ms from {who}.", &facts);
        assert_eq!(filled, format!("1460, 620 bytes after 10 ms from {}.", texts.host("client-a")));
    }

    #[test]
    fn no_sentence_has_a_number_of_its_own() {
        for language in [Language::English, Language::Korean] {
            for (step, sentences) in Texts::of(language).steps {
                for (name, sentence) in sentences {
                    let without_places: String = sentence
                        .split('{')
                        .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest))
                        .collect();
                    // The textbooks' own words.
                    let rest = ["3-way", "4-tuple", "5-tuple"]
                        .iter()
                        .fold(without_places, |text, word| text.replace(word, ""));
                    assert!(!rest.contains(|c: char| c.is_ascii_digit()), "{step}.{name}: {rest}");
                }
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_sentences_with_the_same_facts() {
        let [english, korean] = [Language::English, Language::Korean].map(Texts::of);
        let keys = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&english.words), keys(&korean.words));
        assert_eq!(keys(&english.hosts), keys(&korean.hosts));
        let places = |texts: &Texts| -> Vec<_> {
            let all = texts.steps.iter().flat_map(|(step, sentences)| {
                sentences.iter().map(move |(name, sentence)| {
                    let mut places: Vec<_> = sentence
                        .split('{')
                        .skip(1)
                        .filter_map(|part| Some(part.split_once('}')?.0.to_owned()))
                        .collect();
                    places.sort();
                    (step.clone(), name.clone(), places)
                })
            });
            all.collect()
        };
        assert_eq!(places(&english), places(&korean));
    }
}
