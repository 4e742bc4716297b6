//! Payments and exchanges.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("stripe-secret-key", "Stripe", "Stripe (or Clerk, Paystack, WorkOS) secret key")
        .seen(&["sk_live_", "sk_test_"], "sk_(?:live|test)_[0-9A-Za-z]{24,247}").alone().random(3.6),
    Kind::new("stripe-restricted-key", "Stripe", "Stripe restricted key")
        .seen(&["rk_live_", "rk_test_"], "rk_(?:live|test)_[0-9A-Za-z]{24,247}").alone().random(3.6),
    Kind::new("stripe-organisation-key", "Stripe", "Stripe organisation key")
        .seen(&["sk_org_"], "sk_org_(?:live_|test_)?[0-9A-Za-z]{24,247}").alone().random(3.6),
    Kind::new("webhook-signing-secret", "Stripe, Svix and others", "Webhook signing secret")
        .seen(&["whsec_"], "whsec_[0-9A-Za-z+/]{32,64}={0,2}").alone().random(3.8),
    Kind::new("square-access-token", "Square", "Square access token")
        .seen(&["EAAA"], r"(EAAA[0-9A-Za-z_-]{60})(?:[^0-9A-Za-z_-]|\z)").part().alone().random(4.3).checked(checks::square),
    Kind::new("square-oauth-secret", "Square", "Square OAuth secret")
        .seen(&["sq0csp-"], "sq0csp-[0-9A-Za-z_-]{43}").random(4.0),
    Kind::new("square-old-token", "Square", "Square access token of the old form")
        .seen(&["sq0atp-"], "sq0atp-[0-9A-Za-z_-]{22}").random(3.4),
    Kind::new("braintree-access-token", "Braintree", "Braintree or PayPal access token")
        .seen(&["access_token$"], r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}").random(3.4),
    Kind::new("braintree-private-key", "Braintree", "Braintree private key")
        .seen(&["braintree"], near!("braintree", "[0-9a-f]{32}")).part().random(3.0),
    Kind::new("paypal-client-secret", "PayPal", "PayPal client secret")
        .seen(&["paypal"], near!("paypal", "E[0-9A-Za-z_-]{79}")).part().random(4.4),
    Kind::new("adyen-api-key", "Adyen", "Adyen API key")
        .seen(&["adyen"], near!("adyen", "AQE[0-9A-Za-z+/=*-]{90,250}")).part().random(4.4),
    Kind::new("plaid-secret", "Plaid", "Plaid secret")
        .seen(&["plaid"], near!("plaid", "[0-9a-f]{30}")).part().random(3.0),
    Kind::new("plaid-access-token", "Plaid", "Plaid access token")
        .seen(&["access-sandbox-", "access-development-", "access-production-"], "access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").random(3.0),
    Kind::new("razorpay-secret-beside-key-id", "Razorpay", "Razorpay secret beside its key id")
        .seen(&["rzp_live_", "rzp_test_"], r"rzp_(?:live|test)_[0-9A-Za-z]{14}[^0-9A-Za-z](?:[\s\S]{0,60}?[^0-9A-Za-z])?([0-9A-Za-z]{24})(?:[^0-9A-Za-z]|\z)").part().random(3.6).checked(checks::all_sorts),
    Kind::new("flutterwave-secret-key", "Flutterwave", "Flutterwave secret key")
        .seen(&["FLWSECK"], "FLWSECK(?:_TEST)?-[0-9a-h]{12,32}(?:-[0-9a-z]{1,20})?-X").random(3.0),
    Kind::new("mollie-key", "Mollie", "Mollie API key")
        .seen(&["mollie"], near!("mollie", "(?:live|test)_[0-9A-Za-z]{30,40}")).part().random(3.8),
    Kind::new("gocardless-token", "GoCardless", "GoCardless access token")
        .seen(&["gocardless"], near!("gocardless", "(?:live|sandbox)_[0-9A-Za-z_-]{40}")).part().random(4.0),
    Kind::new("paddle-api-key", "Paddle", "Paddle API key")
        .seen(&["pdl_"], "pdl_(?:live|sdbx)_apikey_[0-9a-z]{26}_[0-9A-Za-z]{22}_[0-9A-Za-z]{3}").random(3.8),
    Kind::new("shippo-token", "Shippo", "Shippo API token")
        .seen(&["shippo_live_", "shippo_test_"], "shippo_(?:live|test)_[0-9a-f]{40}").random(3.0),
    Kind::new("easypost-key", "EasyPost", "EasyPost API key")
        .seen(&["EZAK", "EZTK"], bounded!("EZ[AT]K[0-9A-Za-z]{54}")).part().alone().random(4.0),
    Kind::new("duffel-token", "Duffel", "Duffel access token")
        .seen(&["duffel_live_", "duffel_test_"], "duffel_(?:live|test)_[0-9A-Za-z_-]{43}").random(4.0),
    Kind::new("xendit-key", "Xendit", "Xendit secret key")
        .seen(&["xnd_production_", "xnd_development_"], "xnd_(?:production|development)_[0-9A-Za-z]{40,70}").random(3.8),
    Kind::new("mercadopago-token", "Mercado Pago", "Mercado Pago access token")
        .seen(&["APP_USR-"], "APP_USR-[0-9]{12,20}-[0-9]{6}-[0-9a-f]{32}-[0-9]{5,12}").random(3.0),
    Kind::new("coinbase-secret", "Coinbase", "Coinbase API secret")
        .seen(&["coinbase"], near!("coinbase", "[0-9A-Za-z]{32}")).part().random(3.9).checked(checks::all_sorts),
    Kind::new("binance-secret", "Binance", "Binance API key or secret")
        .seen(&["binance"], near!("binance", "[0-9A-Za-z]{64}")).part().random(4.3).checked(checks::all_sorts),
];
