//! Pages of the AWS console.

/// Returns the page of an execution in the AWS console; none if it is not the ARN of one.
pub fn execution(execution: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":._-/".contains(c);
    let parts: Vec<&str> = execution.split(':').collect();
    let ["arn", partition, "states", region, _account, "execution", _machine, _name] = parts.as_slice()
    else {
        return None;
    };
    let host = match *partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    // A region that were more than a name would lead to another host.
    let named = region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !region.is_empty();
    (named && execution.chars().all(plain)).then(|| {
        format!("https://{region}.{host}/states/home?region={region}#/v2/executions/details/{execution}")
    })
}

/// Returns the ARN of an execution by its name; none if it is of no state machine.
pub fn execution_arn(machine: &str, name: &str) -> Option<String> {
    let (account, machine) = machine.split_once(":stateMachine:")?;
    Some(format!("{account}:execution:{machine}:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_has_a_page_in_the_console_of_its_partition() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:tidegate:r-1";
        assert_eq!(
            execution(arn).unwrap(),
            format!(
                "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1\
                 #/v2/executions/details/{arn}"
            )
        );
        let china = arn.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1");
        assert!(execution(&china).unwrap().starts_with("https://cn-north-1.console.amazonaws.cn/"));
    }

    #[test]
    fn an_execution_bears_the_name_of_its_machine() {
        let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate";
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:tidegate:r-1";
        assert_eq!(execution_arn(machine, "r-1").as_deref(), Some(arn));
        assert_eq!(execution_arn(arn, "r-1"), None);
    }

    #[test]
    fn anything_else_has_none() {
        for text in [
            "",
            "r-1",
            "arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate",
            "arn:aws:states:eu-west-1:1:execution:tidegate:r 1",
            "arn:aws:states:e:1:execution:t:r:x",
            "arn:aws:states:example.org/:1:execution:t:r",
            "arn:aws:states:a.b:1:execution:t:r",
            "arn:aws:states::1:execution:t:r",
        ] {
            assert_eq!(execution(text), None, "{text}");
        }
    }
}
