//! `springform image …`: which volume has the content of an image.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::Client;
use super::operations::print;
use super::outbox::encode;
use crate::cli::ImageCommand;
use crate::show::{field, list, render, table};

/// Carries out a command about images.
///
/// # Errors
/// The host cannot be reached, or refused with a reason.
pub async fn run(client: &Client, command: ImageCommand) -> anyhow::Result<ExitCode> {
    match command {
        ImageCommand::Register {
            image,
            volume,
            name,
            properties,
        } => {
            let properties = pairs(&properties)?;
            let wanted = json!({"image": {"id": image, "volume_id": volume, "name": name, "properties": properties}});
            let answer = client.post("/images", &wanted).await?;
            print(client, &answer, |answer| {
                show(answer.get("image").into_iter())
            })?;
        }
        ImageCommand::List => {
            let answer = client.get("/images").await?;
            print(client, &answer, |answer| {
                show(list(answer, "/images").iter())
            })?;
        }
        ImageCommand::Unregister { image } => {
            client
                .delete(&format!("/images/{}", encode(&image)))
                .await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pairs(texts: &[String]) -> anyhow::Result<Map<String, Value>> {
    let pair = |text: &String| {
        let (key, value) = text
            .split_once('=')
            .with_context(|| format!("--property {text} has no value; write it as KEY=VALUE"))?;
        Ok((key.to_owned(), Value::from(value)))
    };
    texts.iter().map(pair).collect()
}

fn show<'a>(images: impl Iterator<Item = &'a Value>) -> String {
    let mut shown = table(&["image", "name", "volume"]);
    for image in images {
        shown.add_row([
            field(image, "/id"),
            field(image, "/metadata/image_name"),
            field(image, "/volume_id"),
        ]);
    }
    render(&shown)
}
