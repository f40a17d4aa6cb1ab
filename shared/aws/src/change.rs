//! What is to change in a row: an update expression and its condition, with every name and value as a placeholder, so
//! that no attribute's name can be mistaken for a word of the expression.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use chela_core::session::StoreError;

use crate::item::{Item, Key, number, text};
use crate::table::Table;

/// A change that is put together step by step.
#[derive(Default)]
pub(crate) struct Change {
    names: HashMap<String, String>,
    values: Item,
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
}

impl Change {
    pub(crate) fn set(&mut self, attribute: &str, value: AttributeValue) {
        let step = format!("{} = {}", self.name(attribute), self.value(value));
        self.set.push(step);
    }

    /// Sets what is not there yet.
    pub(crate) fn set_first(&mut self, attribute: &str, value: AttributeValue) {
        let name = self.name(attribute);
        let step = format!("{name} = if_not_exists({name}, {})", self.value(value));
        self.set.push(step);
    }

    /// Counts on from what is there, or from zero.
    pub(crate) fn add(&mut self, attribute: &str, value: AttributeValue) {
        let step = format!("{} {}", self.name(attribute), self.value(value));
        self.add.push(step);
    }

    pub(crate) fn remove(&mut self, attribute: &str) {
        let step = self.name(attribute);
        self.remove.push(step);
    }

    /// Only if the attribute is there.
    pub(crate) fn if_there(&mut self, attribute: &str) {
        let condition = format!("attribute_exists({})", self.name(attribute));
        self.conditions.push(condition);
    }

    /// Only if the attribute is not there.
    pub(crate) fn if_missing(&mut self, attribute: &str) {
        let condition = format!("attribute_not_exists({})", self.name(attribute));
        self.conditions.push(condition);
    }

    /// Only if the attribute compares so.
    pub(crate) fn if_it(&mut self, attribute: &str, comparison: &str, value: AttributeValue) {
        let condition = format!("{} {comparison} {}", self.name(attribute), self.value(value));
        self.conditions.push(condition);
    }

    /// Only if the attribute compares so or is not there.
    pub(crate) fn if_missing_or(&mut self, attribute: &str, comparison: &str, value: AttributeValue) {
        let name = self.name(attribute);
        let condition = format!("(attribute_not_exists({name}) OR {name} {comparison} {})", self.value(value));
        self.conditions.push(condition);
    }

    /// Only if the set has the element, or less than so many others.
    pub(crate) fn if_in_or_fewer(&mut self, set: &str, element: &str, most: u64) {
        let (name, element, most) = (self.name(set), self.value(text(element)), self.value(number(most)));
        let room = format!("attribute_not_exists({name}) OR size({name}) < {most}");
        self.conditions.push(format!("({room} OR contains({name}, {element}))"));
    }

    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn expression(&self) -> String {
        let clauses = [("SET", &self.set), ("ADD", &self.add), ("REMOVE", &self.remove)];
        let used = clauses.iter().filter(|(_, steps)| !steps.is_empty());
        used.map(|(word, steps)| format!("{word} {}", steps.join(", "))).collect::<Vec<_>>().join(" ")
    }

    fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }
}

impl Table {
    /// Changes a row, or makes it of the change, if the condition holds; then the attributes that changed are told as
    /// they are now. Otherwise (`Err`) the whole row is told, empty if there is none. One request, either way.
    pub(crate) async fn change(&self, key: &Key, change: Change) -> Result<Result<Item, Item>, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(&key.pk))
            .key("sk", text(&key.sk))
            .update_expression(change.expression())
            .set_condition_expression(change.condition())
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values((!change.values.is_empty()).then_some(change.values))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match update.send().await {
            Ok(answer) => return Ok(Ok(answer.attributes.unwrap_or_default())),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Err(refusal.item().cloned().unwrap_or_default()))
            }
            _ => Err(self.failed(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_in_an_expression() {
        let mut change = Change::default();
        change.set("ttl", number(1));
        change.set_first("a b", number(2));
        change.add("size", number(3));
        change.remove("#");
        change.if_there("ttl");
        change.if_missing_or("é", "<", number(4));
        assert_eq!(change.expression(), "SET #0 = :0, #1 = if_not_exists(#1, :1) ADD #2 :2 REMOVE #3");
        let condition = change.condition().unwrap();
        assert_eq!(condition, "attribute_exists(#4) AND (attribute_not_exists(#5) OR #5 < :3)");
        assert_eq!((change.names["#1"].as_str(), change.names["#5"].as_str()), ("a b", "é"));
        assert_eq!(Change::default().condition(), None);
    }
}
