//! Who is waited for, and what was answered.

use pipeline::Fault;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{Answer, PlanRow, WaitingRow};
use release::ports::Approvals;

use super::Notebook;

impl Approvals for Notebook {
    async fn propose(&self, _: &ReleaseId, row: &PlanRow) -> Result<(), Fault> {
        self.proposed.borrow_mut().push(row.clone());
        Notebook::write(self, format!("propose {}", row.service))
    }
    async fn proposed(&self, _: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        Ok(self.proposed.borrow().clone())
    }
    async fn replan(&self, _: &ReleaseId, plan: &str, services: &[ServiceName]) -> Result<(), Fault> {
        if let Some(head) = self.head.borrow_mut().as_mut() {
            (head.plan, head.services) = (plan.to_owned(), services.to_vec());
        }
        let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
        Notebook::write(self, format!("replan {}", names.join(" ")))
    }
    async fn wait(
        &self,
        _: &EnvironmentName,
        by: &ReleaseId,
        row: &WaitingRow,
        plan: &str,
    ) -> Result<(), Fault> {
        if let Some(head) = self.head.borrow_mut().as_mut() {
            head.asked = Some(plan.to_owned());
        }
        self.waiting.borrow_mut().push((by.clone(), row.clone()));
        self.write("wait")
    }
    async fn waiting(&self, _: &EnvironmentName) -> Result<Vec<(ReleaseId, WaitingRow)>, Fault> {
        Ok(self.waiting.borrow().clone())
    }
    async fn answer(
        &self,
        _: &EnvironmentName,
        of: &ReleaseId,
        row: &WaitingRow,
        by: &ReleaseId,
    ) -> Result<bool, Fault> {
        let mut waiting = self.waiting.borrow_mut();
        let seen = waiting.iter_mut().find(|(waiting, now)| waiting == of && now.token == row.token);
        Ok(seen.map(|(_, row)| row.answered_by = Some(by.clone())).is_some())
    }
    async fn record_answer(&self, _: &ReleaseId, answer: &Answer) -> Result<(), Fault> {
        if let Some(head) = self.head.borrow_mut().as_mut() {
            head.answer = Some(answer.clone());
        }
        Notebook::write(self, format!("answer {:?}", answer.next))
    }
    async fn answered(
        &self,
        _: &EnvironmentName,
        by: &ReleaseId,
        _: Option<&WaitingRow>,
    ) -> Result<(), Fault> {
        self.waiting.borrow_mut().retain(|(waiting, _)| waiting != by);
        self.write("answered")
    }
}
