//! Cards, accounts and wallets.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("card-number", "Payment cards", "Payment card number (Luhn checksum, issuer ranges)")
        .seen(&[], r"((?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6011|64[4-9][0-9]|65[0-9]{2}|35[2-8][0-9]|62[0-9]{2})(?:[ -]?[0-9]{4}){3}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}|3(?:0[0-5]|[689][0-9])[0-9][ -]?[0-9]{6}[ -]?[0-9]{4})(?:[^0-9A-Za-z_.-]|[.-][^0-9]|[.-]?\z)").digits().part().checked(checks::card),
    Kind::new("iban", "Banks", "IBAN (check digits, length by country)")
        .seen(&[], r"((?:NO)[0-9]{2}(?: ?[0-9A-Z]{4}){2} ?[0-9A-Z]{3}|(?:BE)[0-9]{2}(?: ?[0-9A-Z]{4}){3}|(?:DK|FI|FO|GL|NL|SD)[0-9]{2}(?: ?[0-9A-Z]{4}){3} ?[0-9A-Z]{2}|(?:MK|SI)[0-9]{2}(?: ?[0-9A-Z]{4}){3} ?[0-9A-Z]{3}|(?:AT|BA|EE|KZ|LT|LU|XK)[0-9]{2}(?: ?[0-9A-Z]{4}){4}|(?:CH|HR|LI|LV)[0-9]{2}(?: ?[0-9A-Z]{4}){4} ?[0-9A-Z]{1}|(?:BG|BH|CR|DE|GB|GE|IE|ME|RS|VA)[0-9]{2}(?: ?[0-9A-Z]{4}){4} ?[0-9A-Z]{2}|(?:AE|GI|IL|IQ|TL)[0-9]{2}(?: ?[0-9A-Z]{4}){4} ?[0-9A-Z]{3}|(?:AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG)[0-9]{2}(?: ?[0-9A-Z]{4}){5}|(?:LY|PT|ST)[0-9]{2}(?: ?[0-9A-Z]{4}){5} ?[0-9A-Z]{1}|(?:IS|TR)[0-9]{2}(?: ?[0-9A-Z]{4}){5} ?[0-9A-Z]{2}|(?:FR|GR|IT|MC|MR|SM)[0-9]{2}(?: ?[0-9A-Z]{4}){5} ?[0-9A-Z]{3}|(?:AL|AZ|BY|CY|DO|GT|HU|LB|PL|SV)[0-9]{2}(?: ?[0-9A-Z]{4}){6}|(?:BR|EG|PS|QA|UA)[0-9]{2}(?: ?[0-9A-Z]{4}){6} ?[0-9A-Z]{1}|(?:JO|KW|MU)[0-9]{2}(?: ?[0-9A-Z]{4}){6} ?[0-9A-Z]{2}|(?:MT|SC)[0-9]{2}(?: ?[0-9A-Z]{4}){6} ?[0-9A-Z]{3}|(?:LC)[0-9]{2}(?: ?[0-9A-Z]{4}){7})(?:[^0-9A-Za-z_]|\z)").digits().part().checked(checks::iban),
    Kind::new("seed-phrase", "BIP-39", "Seed phrase of a wallet (words and checksum)")
        .seen(&[], "").seeds(),
    Kind::new("bitcoin-private-key", "Bitcoin", "Bitcoin private key (WIF, base58check)")
        .seen(&["privkey", "privatekey", "private_key", "private-key", "importprivkey", "bitcoin"], named!("privkey|private[_-]?key|importprivkey|bitcoin", "[5KL9c][1-9A-HJ-NP-Za-km-z]{50,51}")).part().checked(checks::wif),
    Kind::new("extended-private-key", "Bitcoin", "Extended private key (BIP-32)")
        .seen(&["xprv", "yprv", "zprv", "tprv"], "[xyzt]prv[1-9A-HJ-NP-Za-km-z]{107}").checked(checks::xprv),
    Kind::new("ethereum-private-key", "Ethereum", "Ethereum private key")
        .seen(&["private_key", "privatekey", "private-key", "eth_key", "wallet_key", "deployer"], named!("private[_-]?key|eth_key|wallet_key|deployer", "(?:0x)?[0-9a-f]{64}")).part().random(3.0),
];
