//! The sentences of the tour in one language, with places for facts.
//!
//! A sentence has no number of its own, be it a digit or a word, and no state: `{syn.seq}` stands for what the facts of
//! its step say there, and a place without a fact is a mistake of this crate.

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

    /// What is left of a sentence without its places.
    fn without_places(sentence: &str) -> String {
        sentence.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect()
    }

    /// Numbers as words, which would be as untrue as digits some day.
    fn is_number_word(word: &str) -> bool {
        const ENGLISH: &str = "one two three four five six seven eight nine ten eleven twelve dozen hundred thousand \
            once twice thrice first second third fourth fifth sixth single double triple couple";
        // Before a noun; `하나` and the like stand alone, with a particle.
        const BEFORE_NOUNS: &str = "한 두 세 네 석 넉 첫 한쪽 한번 두번 세번 한꺼번에 두어 서너";
        const ALONE: &str = "하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열 스물 첫째 둘째 셋째 첫번째";
        const PARTICLES: &str =
            "가 이 는 은 를 을 의 로 과 와 도 만 씩 에 에게 뿐 뿐입니다 입니다 이고 이며 이지만 째 다";
        let is_alone = |number: &str| {
            word.strip_prefix(number)
                .is_some_and(|rest| rest.is_empty() || PARTICLES.split(' ').any(|p| p == rest))
        };
        ENGLISH.split_whitespace().chain(BEFORE_NOUNS.split(' ')).any(|number| number == word.to_lowercase())
            || ALONE.split(' ').any(is_alone)
    }

    /// The textbooks' own words for what a connection is known by.
    const TUPLES: [&str; 2] = ["4-tuple", "5-tuple"];

    #[test]
    fn no_sentence_has_a_number_of_its_own() {
        for language in [Language::English, Language::Korean] {
            let texts = Texts::of(language);
            let of_steps = texts.steps.iter().flat_map(|(step, sentences)| {
                sentences.iter().map(move |(name, sentence)| (format!("{step}.{name}"), sentence.as_str()))
            });
            for (name, sentence) in of_steps {
                let rest = TUPLES.iter().fold(without_places(sentence), |text, word| text.replace(word, ""));
                assert!(!rest.contains(|c: char| c.is_ascii_digit()), "{name}: {rest}");
                assert_eq!(number_words(&rest), [""; 0], "{name}: {rest}");
                assert_eq!(states(&rest), [""; 0], "{name}: {rest}");
            }
            let others = [&texts.welcome, &texts.farewell, &texts.prompt];
            for text in others.into_iter().chain(texts.words.values()).chain(texts.hosts.values()) {
                assert_eq!(number_words(text), [""; 0], "{text}");
            }
        }
    }

    fn number_words(text: &str) -> Vec<&str> {
        text.split(|c: char| !c.is_alphabetic()).filter(|word| is_number_word(word)).collect()
    }

    /// States of sockets that a text tells by itself.
    fn states(text: &str) -> Vec<&str> {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let names =
            ["LISTEN", "ESTAB", "ESTABLISHED", "UNCONN", "CLOSED", "SYN-SENT", "SYN-RECV", "LAST-ACK"];
        words.filter(|word| names.contains(word) || word.contains("-WAIT")).collect()
    }

    #[test]
    fn number_words_are_known_in_both_languages() {
        for text in [
            "Two ports",
            "a third client's",
            "in one segment",
            "클라이언트 둘이",
            "세 개",
            "하나의 링크",
            "두 번",
            "첫 바이트",
        ] {
            assert_eq!(number_words(text).len(), 1, "{text}");
        }
        for text in
            ["nobody", "the other end", "둘러보기", "세그먼트", "한도", "네트워크", "열려 있어서", "다시"]
        {
            assert_eq!(number_words(text), [""; 0], "{text}");
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
