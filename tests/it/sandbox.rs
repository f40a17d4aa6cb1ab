//! The laws of the port `Sandbox`, through the adapter of AWS: the emulator runs the sandbox function's own binary. The jail
//! of a laptop passes them in `shared/sandbox/tests/it/laws.rs`.

use std::sync::Arc;

use chela_aws::{AwsEnvironment, SandboxFunction};
use chela_clock::SystemClock;
use chela_core::sandbox::Sandbox;
use chela_core::secret::Secret;
use chela_testkit::laws::Subject;

use crate::binaries::{self, client};
use crate::deployed::{Emulator, boto, enclose};

/// Makes a function of the file that is named.
const MAKE: &str = r#"
import io, zipfile
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.write(sys.argv[2], "bootstrap")
role = client("iam").create_role(RoleName="sandbox", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
client("lambda").create_function(FunctionName="sandbox", Runtime="provided.al2023", Handler="bootstrap", Role=role,
    Timeout=60, Code={"ZipFile": packed.getvalue()})
"#;

async fn function() -> Subject<dyn Sandbox> {
    let (folder, emulator) = (tempfile::tempdir().unwrap(), Emulator::start());
    let bootstrap = folder.path().join("bootstrap");
    enclose(folder.path(), &binaries::folder().join("sandbox"), &bootstrap);
    boto(&emulator.endpoint, MAKE, &[bootstrap.to_str().unwrap()]);
    let environment = AwsEnvironment {
        region: Some("us-east-1".into()),
        access_key_id: Some("test".into()),
        secret_access_key: Some(Secret::new("test")),
        endpoint_url: Some(emulator.endpoint.clone()),
        sandbox: Some("sandbox".into()),
        ..AwsEnvironment::default()
    };
    let sandbox = SandboxFunction::new(&environment, client(&emulator.endpoint), Arc::new(SystemClock)).unwrap();
    Subject::keeping(Arc::new(sandbox), (emulator, folder))
}

chela_testkit::sandbox_laws!(function);
