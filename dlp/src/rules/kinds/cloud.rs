//! The large clouds.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("aws-secret-beside-key-id", "AWS", "AWS secret access key beside its key id")
        .seen(&["AKIA", "ASIA"], r"A[KS]IA[A-Z2-7]{16}[^0-9A-Za-z/+](?:[\s\S]{0,100}?[^0-9A-Za-z/+])?([0-9A-Za-z/+]{40})(?:[^0-9A-Za-z/+=]|\z)").part().alone().random(4.2).checked(checks::all_sorts),
    Kind::new("aws-secret-access-key", "AWS", "AWS secret access key")
        .seen(&["aws_secret", "aws-secret", "aws_sk", "secretaccesskey", "secret_access_key", "awssecret"], named!("aws[_-]?secret|aws_sk|secret_?access_?key", "[0-9A-Za-z/+]{40}")).part().random(4.2).checked(checks::all_sorts),
    Kind::new("aws-session-token", "AWS", "AWS session token")
        .seen(&["IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz"], "(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[0-9A-Za-z/+]{100,1500}={0,2}").longest(2048).random(4.5).checked(checks::not_in_a_signed_request),
    Kind::new("aws-bedrock-key", "AWS", "Amazon Bedrock API key")
        .seen(&["ABSK"], "ABSK[0-9A-Za-z+/]{109,269}={0,2}").alone().random(4.3),
    Kind::new("aws-bedrock-short-key", "AWS", "Amazon Bedrock short-term API key")
        .seen(&["bedrock-api-key-"], "bedrock-api-key-[0-9A-Za-z+/]{100,4000}={0,2}").longest(4096).random(4.0),
    Kind::new("aws-mws-token", "AWS", "Amazon MWS auth token")
        .seen(&["amzn.mws."], r"amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").random(2.8),
    Kind::new("aws-appsync-key", "AWS", "AWS AppSync API key")
        .seen(&["da2-"], "da2-[0-9a-z]{26}").alone().random(3.3),
    Kind::new("google-api-key", "Google", "Google API key (Cloud, Maps, Firebase, Gemini)")
        .seen(&["AIza"], bounded!("AIza[0-9A-Za-z_-]{35}")).part().alone().random(3.6),
    Kind::new("google-service-account-key", "Google", "Google Cloud service account key")
        .seen(&["private_key_id"], r"private_key_id[\\\x22']{1,4}\s{0,4}:\s{0,4}[\\\x22']{1,4}[0-9a-f]{40}[\\\x22']{1,4},(?:\s|\\n|\\r){0,40}[\\\x22']{1,4}private_key[\\\x22']{1,4}\s{0,4}:\s{0,4}[\\\x22']{1,4}(-----BEGIN PRIVATE KEY-----[0-9A-Za-z+/=\\\s]{64,}(?:-----END PRIVATE KEY-----)?)").part().longest(8192).random(4.0),
    Kind::new("google-oauth-client-secret", "Google", "Google OAuth client secret")
        .seen(&["GOCSPX-"], "GOCSPX-[0-9A-Za-z_-]{28}").random(3.2),
    Kind::new("google-oauth-access-token", "Google", "Google OAuth access token")
        .seen(&["ya29."], r"ya29\.[0-9A-Za-z_-]{40,1000}").alone().longest(1024).random(3.8),
    Kind::new("google-oauth-refresh-token", "Google", "Google OAuth refresh token")
        .seen(&["1//0"], bounded!("1//0[0-9A-Za-z_-]{40,200}")).part().alone().random(4.0),
    Kind::new("google-hmac-secret", "Google", "Google Cloud Storage HMAC secret beside its access id")
        .seen(&["GOOG1"], r"GOOG1[0-9A-Z]{19,56}[^0-9A-Za-z/+](?:[\s\S]{0,80}?[^0-9A-Za-z/+])?([0-9A-Za-z/+]{40})(?:[^0-9A-Za-z/+=]|\z)").part().alone().random(4.2).checked(checks::all_sorts),
    Kind::new("azure-storage-connection", "Azure", "Azure Storage account key in a connection string")
        .seen(&["AccountKey="], "AccountKey=([0-9A-Za-z+/]{86}==)").part().random(4.5),
    Kind::new("azure-shared-access-connection", "Azure", "Azure Service Bus, Event Hubs or IoT Hub key in a connection string")
        .seen(&["SharedAccessKey="], "SharedAccessKey=([0-9A-Za-z+/]{43}=)").part().random(4.0),
    Kind::new("azure-account-sas", "Azure", "Azure Storage account SAS")
        .seen(&["&srt=", "?srt="], r"[&?]srt=[sco]{1,3}&(?:[a-z]{2,4}=[^&\s\x22']{1,80}&){1,8}sig=([0-9A-Za-z%+/]{43,80}(?:=|%3[Dd]))").part(),
    Kind::new("azure-storage-key", "Azure", "Azure Storage account key")
        .seen(&["+ASt"], r"[0-9A-Za-z+/]{76}\+ASt[0-9A-Za-z+/]{5}==").lead(76).random(4.4),
    Kind::new("azure-batch-key", "Azure", "Azure Batch account key")
        .seen(&["+ABa"], r"[0-9A-Za-z+/]{76}\+ABa[0-9A-Za-z+/]{5}==").lead(76).random(4.4),
    Kind::new("azure-cosmos-key", "Azure", "Azure Cosmos DB account key")
        .seen(&["ACDb"], "[0-9A-Za-z+/]{76}ACDb[0-9A-Za-z+/]{5}==").lead(76).random(4.4),
    Kind::new("azure-service-bus-key", "Azure", "Azure Service Bus key")
        .seen(&["+ASb"], r"[0-9A-Za-z+/]{33}\+ASb[A-P][0-9A-Za-z+/]{5}=").lead(33).random(4.0),
    Kind::new("azure-event-hubs-key", "Azure", "Azure Event Hubs key")
        .seen(&["+AEh"], r"[0-9A-Za-z+/]{33}\+AEh[A-P][0-9A-Za-z+/]{5}=").lead(33).random(4.0),
    Kind::new("azure-relay-key", "Azure", "Azure Relay key")
        .seen(&["+ARm"], r"[0-9A-Za-z+/]{33}\+ARm[A-P][0-9A-Za-z+/]{5}=").lead(33).random(4.0),
    Kind::new("azure-iot-key", "Azure", "Azure IoT Hub key")
        .seen(&["AIoT"], "[0-9A-Za-z+/]{33}AIoT[A-P][0-9A-Za-z+/]{5}=").lead(33).random(4.0),
    Kind::new("azure-redis-key", "Azure", "Azure Cache for Redis key")
        .seen(&["AzCa"], "[0-9A-Za-z+/]{33}AzCa[A-P][0-9A-Za-z+/]{5}=").lead(33).random(4.0),
    Kind::new("azure-container-registry-key", "Azure", "Azure Container Registry password")
        .seen(&["+ACR"], r"([0-9A-Za-z+/]{42}\+ACR[A-D][0-9A-Za-z+/]{5})(?:[^0-9A-Za-z+/=]|\z)").lead(42).alone().part().random(4.0),
    Kind::new("azure-search-key", "Azure", "Azure AI Search key")
        .seen(&["AzSe"], r"([0-9A-Za-z]{42}AzSe[A-D][0-9A-Za-z]{5})(?:[^0-9A-Za-z+/=]|\z)").lead(42).alone().part().random(4.0),
    Kind::new("azure-functions-key", "Azure", "Azure Functions key")
        .seen(&["AzFu"], "[0-9A-Za-z_-]{44}AzFu[0-9A-Za-z_-]{5}[AQgw]==").lead(44).random(4.0),
    Kind::new("azure-ai-key", "Azure", "Azure AI services or Azure OpenAI key")
        .seen(&["JQQJ9"], "[0-9A-Za-z]{52}JQQJ9[9D][0-9A-Za-z]{26}").lead(52).random(4.2),
    Kind::new("azure-client-secret", "Azure", "Microsoft Entra client secret")
        .seen(&["0Q~", "1Q~", "2Q~", "3Q~", "4Q~", "5Q~", "6Q~", "7Q~", "8Q~", "9Q~"], "[0-9A-Za-z_.~-]{3}[0-9]Q~[0-9A-Za-z_.~-]{31,34}").lead(3).random(3.8),
    Kind::new("azure-devops-token", "Azure DevOps", "Azure DevOps personal access token")
        .seen(&["AZDO"], r"([0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4})(?:[^0-9A-Za-z_+/-]|\z)").part().alone().lead(76).random(4.2),
    Kind::new("azure-devops-old-token", "Azure DevOps", "Azure DevOps personal access token of the old form")
        .seen(&["azure_devops", "azdo_", "vsts_", "system_accesstoken"], near!("azure_devops|azdo_|vsts_|system_accesstoken", "[a-z2-7]{52}")).part().random(3.8),
    Kind::new("digitalocean-personal-token", "DigitalOcean", "DigitalOcean personal access token")
        .seen(&["dop_v1_"], "dop_v1_[0-9a-f]{64}").random(3.0),
    Kind::new("digitalocean-oauth-token", "DigitalOcean", "DigitalOcean OAuth token")
        .seen(&["doo_v1_"], "doo_v1_[0-9a-f]{64}").random(3.0),
    Kind::new("digitalocean-refresh-token", "DigitalOcean", "DigitalOcean refresh token")
        .seen(&["dor_v1_"], "dor_v1_[0-9a-f]{64}").random(3.0),
    Kind::new("alibaba-secret-beside-key-id", "Alibaba Cloud", "Alibaba Cloud access key secret beside its id")
        .seen(&["LTAI"], r"LTAI[0-9A-Za-z]{12,20}[^0-9A-Za-z](?:[\s\S]{0,80}?[^0-9A-Za-z])?([0-9A-Za-z]{30})(?:[^0-9A-Za-z]|\z)").part().alone().random(3.8).checked(checks::all_sorts),
    Kind::new("tencent-secret-beside-key-id", "Tencent Cloud", "Tencent Cloud secret key beside its id")
        .seen(&["AKID"], r"AKID[0-9A-Za-z]{32}[^0-9A-Za-z](?:[\s\S]{0,80}?[^0-9A-Za-z])?([0-9A-Za-z]{32})(?:[^0-9A-Za-z]|\z)").part().alone().random(3.8).checked(checks::all_sorts),
];
