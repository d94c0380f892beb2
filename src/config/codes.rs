//! The codes of everything that can be wrong with a project, in one table.
//!
//! A code never changes its meaning and is never used twice, so that people
//! can look it up and tests can name it. LP00xx: files as such; LP01xx: syntax;
//! LP02xx: keys and values; LP03xx: `Lpfile.toml`; LP04xx: cameras; LP05xx:
//! workloads; LP06xx: scenes; LP07xx: overrides and profiles;
//! LP08xx: tasks and pipelines.

macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: &str = $code;)*

        /// Every code with its meaning in one line, in the order of the codes.
        pub const TABLE: &[(&str, &str)] = &[$(($code, $text)),*];
    };
}

codes! {
    NO_PROJECT = "LP0001", "no `Lpfile.toml` was found";
    MISSING_FILE = "LP0002", "a file that is named does not exist";
    UNREADABLE_FILE = "LP0003", "a file cannot be read";
    TOO_LARGE = "LP0004", "a file is larger than 64 MiB";
    NOT_UTF8 = "LP0005", "a file is not UTF-8";
    TOO_DEEP = "LP0006", "values are nested more than 128 levels deep";
    TOML_SYNTAX = "LP0101", "a file is not valid TOML";
    JSON_SYNTAX = "LP0102", "a file is not valid JSON";
    DUPLICATE_KEY = "LP0103", "a key stands twice in one table";
    NUMBER_TOO_BIG = "LP0104", "a number is too big to be represented";
    NOT_FINITE = "LP0105", "NaN and infinity are no values here";
    UNKNOWN_KEY = "LP0201", "a key has no meaning where it stands";
    MISSING_KEY = "LP0202", "a required key is missing";
    WRONG_TYPE = "LP0203", "a value has the wrong type";
    OUT_OF_RANGE = "LP0204", "a number is outside its range";
    UNKNOWN_WORD = "LP0205", "a word is none of those that are possible";
    BLANK_TEXT = "LP0206", "a text is blank or contains control characters";
    EMPTY_LIST = "LP0207", "a list is empty that must not be";
    NOT_A_DURATION = "LP0208", "a text is no duration";
    NOT_SUPPORTED = "LP0209", "a value is understood but not supported yet";
    BAD_PATH = "LP0210", "a path leaves the project or is otherwise refused";
    BAD_URL = "LP0211", "a URL is none that can be fetched or played";
    BAD_NAME = "LP0212", "a name has characters that are not possible here";
    BAD_DIGEST = "LP0213", "a digest is not 64 hex digits";
    DUPLICATE_NAME = "LP0301", "two tasks have the same name";
    RESERVED_NAME = "LP0302", "a name is a word that labels use themselves";
    UNKNOWN_POOL = "LP0303", "a task names a pool that does not exist";
    EXCLUSIVE_POOL = "LP0304", "the pool `exclusive` has no depth";
    SAME_FOLDER = "LP0305", "two of the folders of `[paths]` are one";
    DUPLICATE_CAMERA = "LP0401", "two cameras have the same id, or ids with the same slug";
    MISSING_SOURCE = "LP0402", "a camera has neither `fileSrc` nor a stream URI";
    BAD_FILE_SOURCE = "LP0403", "a `fileSrc` is not `name|url` or `name|scene:NAME`";
    UNMAPPED_WORKLOAD = "LP0404", "a camera names a workload that no workload file maps";
    EMPTY_REGION = "LP0405", "a region is empty or inverted";
    REGION_OUTSIDE = "LP0406", "a region reaches out of the frame";
    TARGET_ABOVE_FPS = "LP0407", "`targetFps` is higher than `fps`";
    TWO_ORIGINS = "LP0408", "one file name has two different origins";
    UNUSED_SOURCE = "LP0409", "a camera has several stream URIs, and one is not used";
    REPEATED_WORKLOAD = "LP0410", "a camera names a workload twice";
    NO_SCENE = "LP0411", "a synthetic source needs a scene";
    TWO_VLM_CAMERAS = "LP0412", "two cameras have a `vlm` workload, where one is possible";
    OLD_CAMERA_FORM = "LP0413", "a camera file is written in an older form";
    TWO_FORMS = "LP0414", "an older and the current form contradict each other";
    CREDENTIALS = "LP0415", "a stream URI holds credentials";
    OTHER_FILE = "LP0416", "a camera file stands where a workload file is expected, or the other way round";
    DUPLICATE_WORKLOAD = "LP0501", "two workloads have the same name or the same slug";
    UNUSED_WORKLOAD = "LP0502", "a workload is mapped, but no camera uses it";
    UNKNOWN_STEP = "LP0503", "a step's type is no known step";
    MISSING_PRECISION = "LP0504", "a known model does not exist in this precision";
    UNKNOWN_MODEL = "LP0505", "a model is none that is known";
    NO_DETECTOR = "LP0506", "a step classifies what no step before it has detected";
    OLD_WORKLOAD_FORM = "LP0507", "a workload file is written in an older form";
    MIXED_SCRIPT = "LP0508", "a script stands beside other steps";
    SCENE_FAULT = "LP0601", "a scene cannot be drawn as it is written";
    UNKNOWN_PROFILE = "LP0701", "the profile does not exist";
    UNKNOWN_SETTING = "LP0702", "an override names a key that does not exist";
    BAD_OVERRIDE = "LP0703", "an override is not KEY=VALUE";
    GRAPH = "LP0801", "tasks do not make a graph";
    NO_PRODUCER = "LP0802", "a task reads a file that does not exist and that no task makes";
    MISSING_ELEMENT = "LP0803", "this machine lacks an element that a pipeline needs";
    NOT_PLAYABLE = "LP0804", "a pipeline is planned but cannot be played";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} comes before {}", pair[0].0, pair[1].0);
        }
    }
}
