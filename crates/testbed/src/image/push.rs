//! Sends an image to a registry on this machine: plain HTTP, no credentials.

use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use serde::Serialize;

use super::Image;
use super::blob::Blob;
use super::fault::Fault;

/// Says where an image goes.
pub struct Target {
    /// The registry, as host and port.
    pub registry: String,
    /// The repository, which must exist.
    pub repository: String,
    /// The tag that is set once everything else has arrived.
    pub tag: String,
}

/// Tells what a push left in the registry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    /// The digest the tag points at.
    pub digest: String,
    /// The media type of that manifest or index.
    pub media_type: String,
    /// The digests of the manifests that the index lists.
    pub children: Vec<String>,
}

impl Image {
    /// Pushes blobs, then child manifests by digest, then the tagged document.
    ///
    /// In this order nothing ever refers to what has not arrived.
    pub async fn push(&self, target: &Target) -> Result<Pushed, Fault> {
        let client = client(target).await?;
        for blob in &self.blobs {
            let digest = blob.digest.as_ref();
            let to = target.reference(digest);
            let sent = match client.blob_exists(&to, digest).await {
                Ok(true) => continue,
                Ok(false) => client.push_blob(&to, blob.bytes.clone(), digest).await,
                Err(error) => Err(error),
            };
            sent.map_err(|error| refused(&to, error))?;
        }
        for child in &self.children {
            put(&client, &target.reference(child.digest.as_ref()), child).await?;
        }
        put(&client, &target.reference(&target.tag), &self.top).await?;

        Ok(Pushed {
            digest: self.top.digest.to_string(),
            media_type: self.top.media_type.to_string(),
            children: self.children.iter().map(|child| child.digest.to_string()).collect(),
        })
    }
}

async fn client(target: &Target) -> Result<Client, Fault> {
    // Nothing here is encrypted, but the HTTP client has TLS compiled in for its neighbours in the workspace,
    // and panics without a provider.  An error only says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_from(ClientConfig {
        protocol: ClientProtocol::Http,
        use_monolithic_push: true,
        // Naming one proxy makes the client forget those of the environment, which do not lead here.
        // HTTPS is never spoken, so this one is not used either.
        https_proxy: Some("http://127.0.0.1".to_owned()),
        ..ClientConfig::default()
    })
    .map_err(|error| refused(&target.reference(&target.tag), error))?;
    client.store_auth_if_needed(&target.registry, &RegistryAuth::Anonymous).await;
    Ok(client)
}

impl Target {
    fn reference(&self, name: &str) -> Reference {
        let (registry, repository) = (self.registry.clone(), self.repository.clone());
        if name.starts_with("sha256:") {
            Reference::with_digest(registry, repository, name.to_owned())
        } else {
            Reference::with_tag(registry, repository, name.to_owned())
        }
    }
}

/// Puts the bytes as they are: a manifest that is read and written again may get another digest.
async fn put(client: &Client, to: &Reference, manifest: &Blob) -> Result<(), Fault> {
    let media_type = manifest.media_type.as_ref();
    let unsupported = |_| OciDistributionError::UnsupportedMediaTypeError(media_type.to_owned());
    let content_type = media_type.parse().map_err(unsupported).map_err(|error| refused(to, error))?;
    client
        .push_manifest_raw(to, manifest.bytes.clone(), content_type)
        .await
        .map(drop)
        .map_err(|error| refused(to, error))
}

fn refused(to: &Reference, source: OciDistributionError) -> Fault {
    Fault::Push { to: to.whole(), source: Box::new(source) }
}
