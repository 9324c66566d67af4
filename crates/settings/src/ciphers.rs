//! OpenSSL's cipher lists (`ciphers(1)`), as far as this server has the suites they speak of.
//!
//! A list is a program: its items add suites, move them behind the others (`+`), remove them (`-`), or ban them (`!`).
//! Only suites of TLS 1.2 are chosen that way. Those of TLS 1.3 are always there, as in OpenSSL.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A cipher suite of TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CipherSuite {
    /// ECDHE-ECDSA-AES256-GCM-SHA384
    EcdsaAes256,
    /// ECDHE-RSA-AES256-GCM-SHA384
    RsaAes256,
    /// ECDHE-ECDSA-CHACHA20-POLY1305
    EcdsaChacha20,
    /// ECDHE-RSA-CHACHA20-POLY1305
    RsaChacha20,
    /// ECDHE-ECDSA-AES128-GCM-SHA256
    EcdsaAes128,
    /// ECDHE-RSA-AES128-GCM-SHA256
    RsaAes128,
}

/// The suites of TLS 1.3, which a list can name and cannot choose.
const ALWAYS: [&str; 3] = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];

/// Words that stand for suites, none of which is here: bans of them are kept as a matter of course.
const ELSEWHERE: [&str; 30] = [
    "NULL", "aNULL", "eNULL", "EXPORT", "EXP", "LOW", "MEDIUM", "DES", "3DES", "RC2", "RC4", "IDEA", "SEED", "MD5",
    "SHA", "SHA1", "DSS", "aDSS", "PSK", "aPSK", "SRP", "CAMELLIA", "ARIA", "ADH", "AECDH", "DH", "kRSA", "DHE", "EDH",
    "AESCCM",
];

impl CipherSuite {
    /// All of them, those that OpenSSL prefers first.
    pub const ALL: [CipherSuite; 6] = [
        CipherSuite::EcdsaAes256,
        CipherSuite::RsaAes256,
        CipherSuite::EcdsaChacha20,
        CipherSuite::RsaChacha20,
        CipherSuite::EcdsaAes128,
        CipherSuite::RsaAes128,
    ];

    /// OpenSSL's name.
    pub fn name(self) -> &'static str {
        match self {
            CipherSuite::EcdsaAes256 => "ECDHE-ECDSA-AES256-GCM-SHA384",
            CipherSuite::RsaAes256 => "ECDHE-RSA-AES256-GCM-SHA384",
            CipherSuite::EcdsaChacha20 => "ECDHE-ECDSA-CHACHA20-POLY1305",
            CipherSuite::RsaChacha20 => "ECDHE-RSA-CHACHA20-POLY1305",
            CipherSuite::EcdsaAes128 => "ECDHE-ECDSA-AES128-GCM-SHA256",
            CipherSuite::RsaAes128 => "ECDHE-RSA-AES128-GCM-SHA256",
        }
    }

    fn has(self, part: &str) -> bool {
        self.name().split('-').any(|own| own == part)
    }

    /// Whether a single word of a list means this suite; `None` for a word that nobody knows.
    fn is_meant_by(self, word: &str) -> Option<bool> {
        Some(match word {
            name if Self::ALL.iter().any(|suite| suite.name() == name) => self.name() == name,
            "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "ECDH" | "FIPS" => true,
            "ECDSA" | "aECDSA" => self.has("ECDSA"),
            "RSA" | "aRSA" => self.has("RSA"),
            "AES" | "AESGCM" => !self.has("CHACHA20"),
            "AES128" => self.has("AES128"),
            "AES256" => self.has("AES256"),
            "CHACHA20" => self.has("CHACHA20"),
            "SHA256" => self.has("SHA256"),
            "SHA384" => self.has("SHA384"),
            word if ELSEWHERE.contains(&word) => false,
            _ => return None,
        })
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The suites that a list leaves, the preferred ones first. The error is the last part of a sentence.
pub fn cipher_suites(list: &str) -> Result<Vec<CipherSuite>, String> {
    let mut chosen: Vec<CipherSuite> = Vec::new();
    let mut banned: Vec<CipherSuite> = Vec::new();
    for item in list.split([':', ',', ' ', ';']).filter(|item| !item.is_empty() && !item.starts_with('@')) {
        let (sign, words) = match item.chars().next() {
            Some(sign @ ('!' | '-' | '+')) => (sign, &item[1..]),
            _ => (' ', item),
        };
        if ALWAYS.contains(&words) {
            continue;
        }
        let meant = suites_of(words, sign)?;
        let among = |suites: &[CipherSuite]| meant.iter().copied().filter(|suite| suites.contains(suite)).collect();
        let moved: Vec<CipherSuite> = if sign == '+' { among(&chosen) } else { Vec::new() };
        if sign != ' ' {
            chosen.retain(|suite| !meant.contains(suite));
        }
        match sign {
            '!' => banned.extend(&meant),
            '+' => chosen.extend(moved),
            '-' => {}
            _ => {
                let added: Vec<_> = meant.into_iter().filter(|suite| !chosen.contains(suite)).collect();
                chosen.extend(added.iter().filter(|suite| !banned.contains(suite)));
            }
        }
    }
    if chosen.is_empty() { Err(format!("leaves no cipher, {}", supported())) } else { Ok(chosen) }
}

/// What words joined by `+` have in common. Whoever adds what is not here, or words that nobody knows, is told.
fn suites_of(words: &str, sign: char) -> Result<Vec<CipherSuite>, String> {
    let mut meant = CipherSuite::ALL.to_vec();
    for word in words.split('+') {
        let is_named_suite = word.contains('-');
        match CipherSuite::EcdsaAes256.is_meant_by(word) {
            Some(_) => meant.retain(|suite| suite.is_meant_by(word) == Some(true)),
            // Some suite of OpenSSL's that is not here: there is nothing to remove.
            None if sign != ' ' && is_named_suite => meant.clear(),
            None => return Err(format!("there is no cipher {word}, {}", supported())),
        }
    }
    if meant.is_empty() && sign == ' ' {
        return Err(format!("there is no cipher {words}, {}", supported()));
    }
    Ok(meant)
}

fn supported() -> String {
    let names: Vec<&str> = CipherSuite::ALL.iter().map(|suite| suite.name()).collect();
    format!("supported are {}, and always {}", names.join(", "), ALWAYS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        cipher_suites(list).unwrap().into_iter().map(CipherSuite::name).collect()
    }

    #[test]
    fn lists_choose_and_order() {
        let rsa = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256"];
        assert_eq!(names("ECDHE-RSA-AES128-GCM-SHA256"), [rsa[2]]);
        assert_eq!(names("ECDHE+aRSA"), rsa);
        assert_eq!(names("HIGH:!ECDSA:!aNULL:!MD5:@STRENGTH"), rsa);
        assert_eq!(names("ALL:-ECDSA:+AES256"), [rsa[1], rsa[2], rsa[0]]);
        assert_eq!(names("ECDHE+CHACHA20+RSA:RSA+AESGCM"), [rsa[1], rsa[0], rsa[2]]);
        assert_eq!(names("!AES128:ALL:!ECDSA !DHE-RSA-AES128-SHA"), rsa[..2]);
        assert_eq!(names("TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256"), [rsa[2]]);
        assert_eq!(names("DEFAULT").len(), 6);
    }

    #[test]
    fn what_is_not_here_is_named_with_what_is() {
        let problem = |list| cipher_suites(list).unwrap_err();
        let rest = "supported are ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-RSA-AES256-GCM-SHA384, \
                    ECDHE-ECDSA-CHACHA20-POLY1305, ECDHE-RSA-CHACHA20-POLY1305, ECDHE-ECDSA-AES128-GCM-SHA256, \
                    ECDHE-RSA-AES128-GCM-SHA256, and always TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, \
                    TLS_AES_128_GCM_SHA256";
        assert_eq!(problem("HIGH:DHE-RSA-AES128-SHA"), format!("there is no cipher DHE-RSA-AES128-SHA, {rest}"));
        assert_eq!(problem("NOPE"), format!("there is no cipher NOPE, {rest}"));
        assert_eq!(problem("!NOPE"), format!("there is no cipher NOPE, {rest}"));
        assert_eq!(problem("DHE+AESGCM"), format!("there is no cipher DHE+AESGCM, {rest}"));
        assert_eq!(problem("ALL:!ECDHE"), format!("leaves no cipher, {rest}"));
        assert_eq!(problem("TLS_AES_128_GCM_SHA256"), format!("leaves no cipher, {rest}"));
    }
}
