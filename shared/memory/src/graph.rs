//! The knowledge graph: entities with observations, and relations between them. A JSON object a line, in the form of the
//! public MCP server "memory", whose file can be put in the place of this one; what its newer versions add is kept.

use std::collections::HashSet;

use chela_core::agent_id::AgentId;
use chela_core::blob::BlobStore;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::note::{ChangeError, change};
use crate::place::{GRAPH, key};

/// Largest graph.
const GRAPH_MAX: usize = 1024 * 1024;

/// Most bytes of an answer.
const ANSWER_MAX: usize = 40 * 1024;

/// Somebody or something, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entity {
    /// Its name, which is its identity.
    pub name: String,
    /// What it is: `person`, `project`.
    pub entity_type: String,
    /// What is known of it, a fact each.
    #[serde(default)]
    pub observations: Vec<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What one entity is to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Relation {
    /// The name of the one.
    pub from: String,
    /// The name of the other.
    pub to: String,
    /// What it is to it, in the active voice: `works at`.
    pub relation_type: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Relation {
    fn same(&self, other: &Self) -> bool {
        self.from == other.from && self.to == other.to && self.relation_type == other.relation_type
    }
}

/// Facts about one entity.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observations {
    /// Its name.
    pub entity_name: String,
    /// The facts.
    #[serde(alias = "contents")]
    pub observations: Vec<String>,
}

/// What is to be done. Each does the same when it is done twice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Adds entities; one whose name is there is left as it is.
    CreateEntities {
        /// These.
        entities: Vec<Entity>,
    },
    /// Adds relations that are not there.
    CreateRelations {
        /// These.
        relations: Vec<Relation>,
    },
    /// Adds facts that are not there to entities that are.
    AddObservations {
        /// These.
        observations: Vec<Observations>,
    },
    /// Removes entities and their relations.
    DeleteEntities {
        /// Their names.
        #[serde(rename = "names", alias = "entityNames")]
        names: Vec<String>,
    },
    /// Removes facts.
    DeleteObservations {
        /// These.
        #[serde(rename = "observations", alias = "deletions")]
        observations: Vec<Observations>,
    },
    /// Removes relations.
    DeleteRelations {
        /// These.
        relations: Vec<Relation>,
    },
    /// Everything.
    ReadGraph,
    /// Entities in which a text occurs, and their relations.
    SearchNodes {
        /// The text; upper and lower case are the same.
        query: String,
    },
    /// Entities by name, and their relations.
    OpenNodes {
        /// Their names.
        names: Vec<String>,
    },
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Graph {
    entities: Vec<Entity>,
    relations: Vec<Relation>,
}

impl Graph {
    /// Reads a file. A line that cannot be read is an error: writing without it would lose it.
    pub fn read(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(tag = "type", rename_all = "lowercase")]
        enum Line {
            Entity(Entity),
            Relation(Relation),
        }
        let mut graph = Self::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str(line) {
                Ok(Line::Entity(entity)) => graph.entities.push(entity),
                Ok(Line::Relation(relation)) => graph.relations.push(relation),
                Err(error) => {
                    return Err(format!("{GRAPH}, line {}: {error}. Mend it by hand.", number.saturating_add(1)));
                }
            }
        }
        Ok(graph)
    }

    /// The graph as a file.
    pub fn written(&self) -> String {
        let line = |kind: &str, value: Value| {
            let mut line = Map::new();
            line.insert("type".to_owned(), kind.into());
            if let Value::Object(fields) = value {
                line.extend(fields);
            }
            format!("{}\n", Value::Object(line))
        };
        let entities = self.entities.iter().map(|entity| line("entity", json!(entity)));
        entities.chain(self.relations.iter().map(|relation| line("relation", json!(relation)))).collect()
    }

    /// Changes the graph and says how much of it changed.
    fn apply(&mut self, action: &Action) -> Result<String, String> {
        Ok(match action {
            Action::CreateEntities { entities } => format!("{} entities created.", self.create(entities)),
            Action::CreateRelations { relations } => {
                let before = self.relations.len();
                for relation in relations {
                    if !self.relations.iter().any(|other| other.same(relation)) {
                        self.relations.push(relation.clone());
                    }
                }
                format!("{} relations created.", self.relations.len().saturating_sub(before))
            }
            Action::AddObservations { observations } => format!("{} observations added.", self.observe(observations)?),
            Action::DeleteEntities { names } => {
                let before = self.entities.len();
                self.entities.retain(|entity| !names.contains(&entity.name));
                self.relations.retain(|relation| !names.contains(&relation.from) && !names.contains(&relation.to));
                format!("{} entities deleted.", before.saturating_sub(self.entities.len()))
            }
            Action::DeleteObservations { observations } => {
                let mut deleted: usize = 0;
                for gone in observations {
                    for entity in self.entities.iter_mut().filter(|entity| entity.name == gone.entity_name) {
                        let before = entity.observations.len();
                        entity.observations.retain(|fact| !gone.observations.contains(fact));
                        deleted = deleted.saturating_add(before.saturating_sub(entity.observations.len()));
                    }
                }
                format!("{deleted} observations deleted.")
            }
            Action::DeleteRelations { relations } => {
                let before = self.relations.len();
                self.relations.retain(|own| !relations.iter().any(|gone| gone.same(own)));
                format!("{} relations deleted.", before.saturating_sub(self.relations.len()))
            }
            Action::ReadGraph | Action::SearchNodes { .. } | Action::OpenNodes { .. } => String::new(),
        })
    }

    fn create(&mut self, entities: &[Entity]) -> usize {
        let before = self.entities.len();
        for entity in entities {
            if !self.entities.iter().any(|other| other.name == entity.name) {
                self.entities.push(entity.clone());
            }
        }
        self.entities.len().saturating_sub(before)
    }

    fn observe(&mut self, observations: &[Observations]) -> Result<usize, String> {
        let mut added: usize = 0;
        for Observations { entity_name, observations } in observations {
            let entity = self.entities.iter_mut().find(|entity| entity.name == *entity_name);
            let entity = entity.ok_or_else(|| format!("There is no entity \"{entity_name}\". Create it first."))?;
            for fact in observations {
                if !entity.observations.contains(fact) {
                    entity.observations.push(fact.clone());
                    added = added.saturating_add(1);
                }
            }
        }
        Ok(added)
    }

    /// The part of it that an action looks at; `None` for one that changes it.
    fn view(&self, action: &Action) -> Option<Self> {
        let entities: Vec<Entity> = match action {
            Action::ReadGraph => return Some(self.clone()),
            Action::SearchNodes { query } => {
                let query = query.to_lowercase();
                let fits = |text: &String| text.to_lowercase().contains(&query);
                let any = |entity: &&Entity| {
                    fits(&entity.name) || fits(&entity.entity_type) || entity.observations.iter().any(fits)
                };
                self.entities.iter().filter(any).cloned().collect()
            }
            Action::OpenNodes { names } => {
                self.entities.iter().filter(|entity| names.contains(&entity.name)).cloned().collect()
            }
            _ => return None,
        };
        let names: HashSet<&str> = entities.iter().map(|entity| entity.name.as_str()).collect();
        let touches =
            |relation: &&Relation| names.contains(relation.from.as_str()) || names.contains(relation.to.as_str());
        let relations = self.relations.iter().filter(touches).cloned().collect();
        Some(Self { entities, relations })
    }
}

/// Does one thing with an agent's graph and says what came of it. Two changes at once are both made.
pub async fn graph(files: &dyn BlobStore, agent: &AgentId, action: &Action) -> Result<String, ChangeError> {
    if matches!(action, Action::ReadGraph | Action::SearchNodes { .. } | Action::OpenNodes { .. }) {
        let stored = files.get(&key(agent, GRAPH)).await?;
        let text = stored.map(|blob| String::from_utf8_lossy(&blob.bytes).into_owned()).unwrap_or_default();
        let part = Graph::read(&text).map_err(ChangeError::Refused)?.view(action).unwrap_or_default();
        let answer = json!(part).to_string();
        if answer.len() > ANSWER_MAX {
            let entities = part.entities.len();
            return Err(ChangeError::Refused(format!(
                "That are {entities} entities, too many to show. Use search_nodes or open_nodes for some of them."
            )));
        }
        return Ok(answer);
    }
    let mut said = String::new();
    change(files, agent, GRAPH, |text| {
        let before = Graph::read(text).map_err(ChangeError::Refused)?;
        let mut after = before.clone();
        said = after.apply(action).map_err(ChangeError::Refused)?;
        if after == before {
            return Ok(None);
        }
        let written = after.written();
        if written.len() > GRAPH_MAX {
            return Err(ChangeError::Refused("The graph is full. Delete what is no longer needed.".into()));
        }
        Ok(Some(written))
    })
    .await?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the public server writes it.
    const THEIRS: &str = concat!(
        r#"{"type":"entity","name":"Ada","entityType":"person","observations":["likes tea"]}"#,
        "\n",
        r#"{"type":"entity","name":"Chela","entityType":"project","observations":[],"since":2026}"#,
        "\n",
        r#"{"type":"relation","from":"Ada","to":"Chela","relationType":"works on"}"#,
        "\n"
    );

    fn action(value: Value) -> Action {
        serde_json::from_value(value).unwrap()
    }

    fn done(graph: &mut Graph, value: Value) -> String {
        graph.apply(&action(value)).unwrap()
    }

    #[test]
    fn the_file_of_the_public_server_is_read_and_written_as_it_was() {
        assert_eq!(Graph::read(THEIRS).unwrap().written(), THEIRS);
        let error = Graph::read("{\"type\":\"entity\"}\n").unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn everything_done_twice_is_as_done_once() {
        let mut graph = Graph::read(THEIRS).unwrap();
        let bob = json!({"name": "Bob", "entityType": "person", "observations": ["has a cat"]});
        let knows = json!({"from": "Ada", "to": "Bob", "relationType": "knows"});
        for (step, first, again) in [
            (
                json!({"action": "create_entities", "entities": [bob, bob]}),
                "1 entities created.",
                "0 entities created.",
            ),
            (
                json!({"action": "create_relations", "relations": [knows]}),
                "1 relations created.",
                "0 relations created.",
            ),
            (
                json!({"action": "add_observations", "observations": [{"entityName": "Bob", "contents": ["is late", "has a cat"]}]}),
                "1 observations added.",
                "0 observations added.",
            ),
            (
                json!({"action": "delete_observations", "deletions": [{"entityName": "Bob", "observations": ["has a cat"]}]}),
                "1 observations deleted.",
                "0 observations deleted.",
            ),
            (
                json!({"action": "delete_relations", "relations": [knows]}),
                "1 relations deleted.",
                "0 relations deleted.",
            ),
            (
                json!({"action": "delete_entities", "entityNames": ["Bob"]}),
                "1 entities deleted.",
                "0 entities deleted.",
            ),
        ] {
            assert_eq!(done(&mut graph, step.clone()), first);
            let once = graph.clone();
            assert_eq!(done(&mut graph, step), again);
            assert_eq!(graph, once);
        }
        assert_eq!(graph, Graph::read(THEIRS).unwrap());
        let unknown =
            action(json!({"action": "add_observations", "observations": [{"entityName": "X", "contents": ["y"]}]}));
        assert!(graph.apply(&unknown).unwrap_err().contains("no entity \"X\""));
    }

    #[test]
    fn an_entity_goes_with_its_relations() {
        let mut graph = Graph::read(THEIRS).unwrap();
        done(&mut graph, json!({"action": "delete_entities", "names": ["Ada"]}));
        assert!(graph.relations.is_empty() && graph.entities.len() == 1);
    }

    #[test]
    fn nodes_are_found_with_their_relations() {
        let graph = Graph::read(THEIRS).unwrap();
        let names = |value: Value| {
            let part = graph.view(&action(value)).unwrap();
            (part.entities.into_iter().map(|entity| entity.name).collect::<Vec<_>>(), part.relations.len())
        };
        assert_eq!(names(json!({"action": "search_nodes", "query": "TEA"})), (vec!["Ada".to_owned()], 1));
        assert_eq!(names(json!({"action": "search_nodes", "query": "milk"})), (vec![], 0));
        assert_eq!(names(json!({"action": "open_nodes", "names": ["Chela", "X"]})), (vec!["Chela".to_owned()], 1));
        assert_eq!(names(json!({"action": "read_graph"})).0.len(), 2);
    }
}
