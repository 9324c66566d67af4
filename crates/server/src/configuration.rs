//! All sources of settings, brought together. Parsing the arguments does nothing but parse; the
//! rest happens in the mold, since a configuration file is code.

use std::env;

use ferricorn_settings::{
    CommandLine, ConfigLocation, Context, EarlyExit, Resolved, config_location, parse, parse_environment_arguments,
    paste_file, paste_layer, read_toml, resolve,
};

use crate::Invocation;
use crate::loader::{Embedding, Loader};

/// The variable that holds more arguments.
const ARGUMENTS_VARIABLE: &str = "GUNICORN_CMD_ARGS";

/// The command line, and the arguments from the environment.
pub(crate) struct Arguments {
    command_line: CommandLine,
    environment: Option<CommandLine>,
}

pub(crate) fn parse_arguments(invocation: &Invocation) -> Result<Arguments, EarlyExit> {
    let command_line = match &invocation.command_line {
        Some(parsed) => parsed.clone(),
        None => parse(&invocation.program, &invocation.arguments)?,
    };
    let environment = match env::var(ARGUMENTS_VARIABLE) {
        Ok(text) => Some(parse_environment_arguments(&invocation.program, &text)?),
        Err(_) => None,
    };
    Ok(Arguments { command_line, environment })
}

/// Evaluates everything. The error is the whole text for the operator.
pub(crate) fn evaluate<L: Loader>(arguments: &Arguments, loader: &mut L) -> Result<Resolved, String> {
    let sentence = |error: ferricorn_settings::SettingsError| format!("\nError: {error}\n");
    let context = Context { language: loader.language(), ..Context::from_environment() };
    let embedding = loader.embedding()?;
    if let Some(Embedding { layer, name, reads_arguments: false }) = &embedding {
        return resolve(std::slice::from_ref(layer), Some(name), &context).map_err(sentence);
    }
    let paste = paste_file(&arguments.command_line, arguments.environment.as_ref(), &context.start_directory);
    // A file that is not there is for the check of the setting to name.
    let paste = paste.filter(|file| file.exists()).map(|file| paste_layer(&file)).transpose().map_err(sentence)?;
    let (flags, variable) = (&arguments.command_line, arguments.environment.as_ref());
    let location = config_location(flags, variable, &context.start_directory, context.language).map_err(sentence)?;
    let file = match &location {
        ConfigLocation::None => None,
        ConfigLocation::Python(path) => Some(loader.evaluate_file(path)?),
        ConfigLocation::PythonModule(name) => Some(loader.evaluate_module(name)?),
        ConfigLocation::Toml(path) => Some(read_toml(path).map_err(sentence)?),
    };
    let environment = arguments.environment.as_ref().map(|arguments| arguments.layer.clone());
    let said = embedding.as_ref().map(|embedding| embedding.layer.clone());
    let layers: Vec<_> =
        [paste, file, environment, Some(arguments.command_line.layer.clone()), said].into_iter().flatten().collect();
    let application = arguments.command_line.application.as_deref();
    let application = application.or(embedding.as_ref().map(|embedding| embedding.name.as_str()));
    resolve(&layers, application, &context).map_err(sentence)
}
