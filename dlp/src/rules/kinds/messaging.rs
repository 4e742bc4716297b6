//! Messages, mail and chat.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("slack-bot-token", "Slack", "Slack bot token")
        .seen(&["xoxb-"], "xoxb-[0-9]{8,14}-[0-9A-Za-z-]{18,60}").random(2.8),
    Kind::new("slack-user-token", "Slack", "Slack user token")
        .seen(&["xoxp-"], "xoxp-[0-9]{8,14}-[0-9]{8,14}-[0-9A-Za-z-]{20,70}").random(2.8),
    Kind::new("slack-workspace-token", "Slack", "Slack workspace access token")
        .seen(&["xoxa-"], "xoxa-(?:2-)?[0-9]{8,14}-[0-9A-Za-z-]{20,80}").random(2.8),
    Kind::new("slack-workspace-refresh-token", "Slack", "Slack workspace refresh token")
        .seen(&["xoxr-"], "xoxr-[0-9]{8,14}-[0-9A-Za-z-]{20,80}").random(2.8),
    Kind::new("slack-session-token", "Slack", "Slack session token")
        .seen(&["xoxs-"], "xoxs-[0-9]{8,14}-[0-9A-Za-z-]{20,80}").random(2.8),
    Kind::new("slack-client-token", "Slack", "Slack client token")
        .seen(&["xoxc-"], "xoxc-[0-9]{8,14}-[0-9A-Za-z-]{20,80}").random(2.8),
    Kind::new("slack-client-cookie", "Slack", "Slack client cookie")
        .seen(&["xoxd-"], "xoxd-[0-9A-Za-z+/%=-]{80,400}").random(2.8),
    Kind::new("slack-rotated-token", "Slack", "Slack rotated access token")
        .seen(&["xoxe."], r"xoxe\.xox[bp]-[0-9]-[0-9A-Za-z]{100,250}").random(2.8),
    Kind::new("slack-refresh-token", "Slack", "Slack refresh token")
        .seen(&["xoxe-"], "xoxe-[0-9]-[0-9A-Za-z]{100,250}").random(2.8),
    Kind::new("slack-app-token", "Slack", "Slack app-level token")
        .seen(&["xapp-"], "xapp-[0-9]-[0-9A-Z]{8,14}-[0-9]{8,15}-[0-9a-f]{64}").random(2.8),
    Kind::new("slack-webhook", "Slack", "Slack incoming or workflow webhook")
        .seen(&["hooks.slack.com/"], r"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Z]{8,14}/[0-9A-Za-z]{8,20}/[0-9A-Za-z]{20,48}").random(3.8),
    Kind::new("discord-bot-token", "Discord", "Discord bot token")
        .seen(&["discord", "bot m", "bot n", "bot o", "token\":\"m", "token\":\"n", "token\":\"o", "token\": \"m", "token\": \"n", "token\": \"o", "token=\"m", "token=\"n", "token=\"o", "token=m", "token=n", "token=o", "token = \"m", "token = \"n", "token = \"o", "token='m", "token='n", "token='o", "token: m", "token: n", "token: o"], r"(?i:discord[0-9A-Za-z_. -]{0,24}|bot|token)[\x22'\\]{0,3}\s{0,3}[=: ]?\s{0,3}[\x22'\\]{0,3}([MNO][0-9A-Za-z_-]{22,27}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,40})").part().alone().random(4.0).checked(checks::discord),
    Kind::new("discord-webhook", "Discord", "Discord webhook")
        .seen(&["/api/webhooks/"], "/api/webhooks/[0-9]{17,20}/[0-9A-Za-z_-]{60,72}").random(4.0),
    Kind::new("discord-client-secret", "Discord", "Discord client secret")
        .seen(&["discord"], near!("discord", "[0-9A-Za-z_-]{32}")).part().random(3.9).checked(checks::all_sorts),
    Kind::new("telegram-bot-token", "Telegram", "Telegram bot token")
        .seen(&[":AA"], "[0-9]{8,10}:AA[0-9A-Za-z_-]{33}").lead(10).random(4.0),
    Kind::new("twilio-auth-token", "Twilio", "Twilio auth token")
        .seen(&["twilio"], near!("twilio", "[0-9a-f]{32}")).part().random(3.0),
    Kind::new("sendgrid-key", "SendGrid", "SendGrid API key")
        .seen(&["SG."], r"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}").alone().random(4.2),
    Kind::new("mailgun-key", "Mailgun", "Mailgun API key")
        .seen(&["key-"], r"(key-[0-9a-f]{32})(?:[^0-9A-Za-z-]|\z)").part().alone().random(3.0),
    Kind::new("mailgun-new-key", "Mailgun", "Mailgun API key of the new form")
        .seen(&["mailgun"], near!("mailgun", "[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}")).part().random(3.0),
    Kind::new("mailchimp-key", "Mailchimp", "Mailchimp API key")
        .seen(&["-us"], "[0-9a-f]{32}-us[0-9]{1,2}").lead(32).random(3.0),
    Kind::new("mandrill-key", "Mailchimp", "Mandrill API key")
        .seen(&["md-"], bounded!("md-[0-9A-Za-z_-]{22}")).part().alone().random(3.7).checked(checks::all_sorts),
    Kind::new("postmark-token", "Postmark", "Postmark server token")
        .seen(&["postmark"], near!("postmark", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")).part().random(2.8),
    Kind::new("vonage-secret", "Vonage", "Vonage API secret")
        .seen(&["vonage", "nexmo"], near!("vonage|nexmo", "[0-9A-Za-z]{16}")).part().random(3.2).checked(checks::all_sorts),
    Kind::new("brevo-key", "Brevo", "Brevo API key")
        .seen(&["xkeysib-"], "xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}").random(3.4),
    Kind::new("brevo-smtp-key", "Brevo", "Brevo SMTP key")
        .seen(&["xsmtpsib-"], "xsmtpsib-[0-9a-f]{64}-[0-9A-Za-z]{16}").random(3.4),
    Kind::new("resend-key", "Resend", "Resend API key")
        .seen(&["re_"], bounded!("re_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}")).part().alone().random(3.7).checked(checks::all_sorts),
    Kind::new("teams-webhook", "Microsoft Teams", "Microsoft Teams incoming webhook")
        .seen(&["webhook.office.com/webhookb2/"], r"webhook\.office\.com/webhookb2/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}").random(3.4),
    Kind::new("google-chat-webhook", "Google", "Google Chat webhook")
        .seen(&["chat.googleapis.com/v1/spaces/"], r"chat\.googleapis\.com/v1/spaces/[0-9A-Za-z_-]{6,20}/messages\?key=[0-9A-Za-z_-]{39}&token=([0-9A-Za-z_%-]{40,60})").part().random(4.0),
    Kind::new("intercom-token", "Intercom", "Intercom access token")
        .seen(&["dG9rO"], "dG9rO[0-9A-Za-z+/_-]{50,90}={0,2}").alone().random(4.0).checked(checks::intercom),
    Kind::new("onesignal-key", "OneSignal", "OneSignal API key")
        .seen(&["os_v2_app_", "os_v2_org_"], "os_v2_(?:app|org)_[a-z2-7]{80,110}").random(4.0),
    Kind::new("firebase-messaging-key", "Google", "Firebase Cloud Messaging server key")
        .seen(&[":APA91b"], "AAAA[0-9A-Za-z_-]{7}:APA91b[0-9A-Za-z_-]{134}").lead(11).random(4.5),
    Kind::new("matrix-token", "Matrix", "Matrix access token")
        .seen(&["syt_"], "syt_[0-9A-Za-z+/=]{2,90}_[0-9A-Za-z]{20}_[0-9A-Za-z]{6}").alone().random(3.8),
    Kind::new("mattermost-token", "Mattermost", "Mattermost access token")
        .seen(&["mattermost"], near!("mattermost", "[0-9a-z]{26}")).part().random(3.6).checked(checks::letters_and_digits),
    Kind::new("dingtalk-webhook", "DingTalk", "DingTalk robot webhook")
        .seen(&["oapi.dingtalk.com/robot/send?access_token="], r"oapi\.dingtalk\.com/robot/send\?access_token=([0-9a-f]{64})").part().random(3.0),
    Kind::new("feishu-webhook", "Feishu and Lark", "Feishu or Lark bot webhook")
        .seen(&["/open-apis/bot/v2/hook/"], "/open-apis/bot/v2/hook/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").random(3.0),
    Kind::new("wecom-webhook", "WeCom", "WeCom bot webhook")
        .seen(&["qyapi.weixin.qq.com/cgi-bin/webhook/send?key="], r"qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})").part().random(2.8),
    Kind::new("zapier-webhook", "Zapier", "Zapier catch hook")
        .seen(&["hooks.zapier.com/hooks/catch/"], r"hooks\.zapier\.com/hooks/catch/[0-9]{4,10}/[0-9a-z]{6,12}").random(3.0),
];
