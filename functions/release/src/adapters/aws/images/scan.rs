//! What ECR has found in images.

use aws_sdk_ecr::operation::describe_image_scan_findings::{
    DescribeImageScanFindingsError as Refused, DescribeImageScanFindingsOutput as Page,
};
use aws_sdk_ecr::types::{
    EnhancedImageScanFinding as Enhanced, ImageIdentifier, ImageScanFinding as Basic, ImageScanStatus,
    ScanStatus,
};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::ids::Digest;
use pipeline::image::RepositoryRef;

use super::Images;
use crate::ports::{Scan, Vulnerability};

/// How many findings ECR returns in one call, and how many such calls one image is worth.
const PER_CALL: i32 = 1_000;
const MOST_CALLS: usize = 20;

/// What ECR writes where no version has a fix.
const NO_FIX: &str = "NotAvailable";

impl Images {
    pub(in crate::adapters::aws) async fn scan(
        &self,
        from: &RepositoryRef,
        digest: &Digest,
    ) -> Result<Scan, Fault> {
        let (mut findings, mut listed, mut counted, mut next) = (Vec::new(), 0, 0, None);
        for _ in 0..MOST_CALLS {
            let page = match self.page(from, digest, next).await? {
                Ok(page) => page,
                Err(why) => return Ok(Scan::Missing(why)),
            };
            if let Some(unfinished) = unfinished(page.image_scan_status()) {
                return Ok(unfinished);
            }
            if let Some(found) = page.image_scan_findings() {
                let counts = found.finding_severity_counts().into_iter().flat_map(|counts| counts.values());
                counted = counts.map(|count| u64::try_from(*count).unwrap_or_default()).sum();
                listed += found.findings().len() + found.enhanced_findings().len();
                findings.extend(found.findings().iter().map(basic));
                findings.extend(found.enhanced_findings().iter().filter(|one| is_active(one)).map(enhanced));
            }
            next = page.next_token;
            if next.is_none() {
                // Those that are left out on purpose are listed, too: only an empty list contradicts a count.
                return Ok(Scan::Done { findings, unlisted: if listed == 0 { counted } else { 0 } });
            }
        }
        Err(Fault::NotSupported(format!(
            "more than {} findings of one image",
            MOST_CALLS * PER_CALL as usize
        )))
    }

    /// Reads a page of findings; or says why there are none.
    async fn page(
        &self,
        from: &RepositoryRef,
        digest: &Digest,
        next: Option<String>,
    ) -> Result<Result<Page, String>, Fault> {
        let call = self.ecr.describe_image_scan_findings().registry_id(from.registry.as_str());
        let image = ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let call = call.repository_name(from.repository.as_str()).image_id(image);
        match call.max_results(PER_CALL).set_next_token(next).send().await {
            Ok(page) => Ok(Ok(page)),
            Err(error) if error.as_service_error().is_some_and(Refused::is_scan_not_found_exception) => {
                Ok(Err("ECR has no scan of it".to_owned()))
            }
            Err(error) => {
                let what = format!("read what ECR found in {}@{digest}", from.repository);
                Err(fault_of(&what, &error))
            }
        }
    }
}

/// Tells why a scan says nothing, if so.
fn unfinished(status: Option<&ImageScanStatus>) -> Option<Scan> {
    let word = status.and_then(ImageScanStatus::status);
    match word {
        Some(ScanStatus::Complete | ScanStatus::Active) => None,
        Some(word @ (ScanStatus::InProgress | ScanStatus::Pending)) => {
            Some(Scan::Pending(word.as_str().to_owned()))
        }
        other => {
            let word = other.map_or("unknown", ScanStatus::as_str);
            let more = status.and_then(ImageScanStatus::description).map(|more| format!(" ({more})"));
            Some(Scan::Missing(format!("the status of its scan is {word}{}", more.unwrap_or_default())))
        }
    }
}

/// Tells whether a finding counts that Inspector has neither closed nor been told to suppress.
fn is_active(finding: &Enhanced) -> bool {
    finding.status().is_none_or(|status| status == "ACTIVE")
}

fn basic(finding: &Basic) -> Vulnerability {
    let attribute = |key: &str| {
        let found = finding.attributes().iter().find(|one| one.key() == key);
        found.and_then(|one| one.value())
    };
    Vulnerability {
        id: finding.name().unwrap_or("a finding without a name").to_owned(),
        severity: finding.severity().map_or("UNDEFINED", |severity| severity.as_str()).to_owned(),
        package: package(attribute("package_name"), attribute("package_version")),
        // Basic scans do not tell.
        is_fixable: None,
        fixed_in: None,
    }
}

fn enhanced(finding: &Enhanced) -> Vulnerability {
    let details = finding.package_vulnerability_details();
    let packages = details.map(|details| details.vulnerable_packages()).unwrap_or_default();
    let fix = |fixed: &&str| !fixed.is_empty() && *fixed != NO_FIX;
    let fixed = packages.iter().find(|package| package.fixed_in_version().as_ref().is_some_and(fix));
    let shown = fixed.or(packages.first());
    let is_fixable = match finding.fix_available() {
        Some("YES" | "PARTIAL") => Some(true),
        Some("NO") => Some(false),
        _ => fixed.map(|_| true),
    };
    let name = details.and_then(|details| details.vulnerability_id()).or(finding.title());
    Vulnerability {
        id: name.unwrap_or("a finding without a name").to_owned(),
        severity: finding.severity().unwrap_or("UNDEFINED").to_owned(),
        package: shown.and_then(|shown| package(shown.name(), shown.version())),
        is_fixable,
        fixed_in: fixed.and_then(|fixed| fixed.fixed_in_version()).map(str::to_owned),
    }
}

/// Returns a package with its version.
fn package(name: Option<&str>, version: Option<&str>) -> Option<String> {
    let name = name?;
    Some(version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecr::types::{Attribute, FindingSeverity, PackageVulnerabilityDetails, VulnerablePackage};

    #[test]
    fn only_a_scan_that_is_done_says_anything() {
        let status =
            |word: &str| ImageScanStatus::builder().status(ScanStatus::from(word)).description("why").build();
        for word in ["COMPLETE", "ACTIVE"] {
            assert_eq!(unfinished(Some(&status(word))), None);
        }
        for word in ["IN_PROGRESS", "PENDING"] {
            assert_eq!(unfinished(Some(&status(word))), Some(Scan::Pending(word.to_owned())));
        }
        for word in
            ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "NEW_WORD"]
        {
            let why = format!("the status of its scan is {word} (why)");
            assert_eq!(unfinished(Some(&status(word))), Some(Scan::Missing(why)));
        }
        assert!(matches!(unfinished(None), Some(Scan::Missing(_))));
    }

    #[test]
    fn a_finding_of_a_basic_scan_names_its_package_and_no_fix() {
        let attribute = |key: &str, value: &str| Attribute::builder().key(key).value(value).build().unwrap();
        let finding = Basic::builder().name("CVE-2024-1").severity(FindingSeverity::High);
        let finding = finding.attributes(attribute("package_version", "3.0.1"));
        let found = basic(&finding.attributes(attribute("package_name", "openssl")).build());
        assert_eq!((found.id.as_str(), found.severity.as_str()), ("CVE-2024-1", "HIGH"));
        assert_eq!((found.package.as_deref(), found.is_fixable), (Some("openssl 3.0.1"), None));
        assert_eq!(basic(&Basic::builder().build()).severity, "UNDEFINED");
    }

    #[test]
    fn a_finding_of_inspector_tells_whether_there_is_a_fix() {
        for (available, fixed_in, is_fixable, named) in [
            (Some("YES"), Some("3.0.2"), Some(true), Some("3.0.2")),
            (Some("PARTIAL"), None, Some(true), None),
            (Some("NO"), Some("NotAvailable"), Some(false), None),
            (None, Some("3.0.2"), Some(true), Some("3.0.2")),
            (None, Some("NotAvailable"), None, None),
        ] {
            let package = VulnerablePackage::builder().name("openssl").version("3.0.1");
            let package = package.set_fixed_in_version(fixed_in.map(str::to_owned)).build();
            let details = PackageVulnerabilityDetails::builder().vulnerability_id("CVE-2024-1");
            let finding =
                Enhanced::builder().severity("UNTRIAGED").set_fix_available(available.map(str::to_owned));
            let details = details.vulnerable_packages(package).build();
            let found = enhanced(&finding.package_vulnerability_details(details).build());
            assert_eq!((found.is_fixable, found.fixed_in.as_deref()), (is_fixable, named), "{available:?}");
            assert_eq!((found.id.as_str(), found.package.as_deref()), ("CVE-2024-1", Some("openssl 3.0.1")));
        }
        let of = |status: &str| Enhanced::builder().status(status).build();
        assert!(is_active(&of("ACTIVE")) && !is_active(&of("SUPPRESSED")) && !is_active(&of("CLOSED")));
    }
}
