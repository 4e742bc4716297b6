//! How values look: cards, accounts and wallets.

pub(super) const SAMPLES: &[(&str, &[&str])] = &[
    ("card-number", &["\"card_number\":\"{card4}\"", "pay with {cardgroups} now", "\"amex\": \"{amex}\""]),
    ("iban", &["{ibande}", "{ibangb}", "{ibanspaced}"]),
    ("seed-phrase", &["{seed12}", "{seed24}"]),
    ("bitcoin-private-key", &["bitcoin_privkey={wif}\n", "\"private_key\": \"{wif}\""]),
    ("extended-private-key", &["{xprv}"]),
    ("ethereum-private-key", &["PRIVATE_KEY=0x{h64}\n", "DEPLOYER_PRIVATE_KEY={h64}\n"]),
];
